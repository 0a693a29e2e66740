"""An origin as a browser sends it (Fetch, "Origin" header; HTML, "serialization of an origin").

Only the canonical bytes are an origin; nothing is normalised, because the value is
compared, and sent back, byte for byte (Fetch, "CORS check", step 4).
"""

import re
from typing import NamedTuple

from corsproxy.core.origins.hosts import DOMAIN, is_web_host

MAX_LENGTH = 512
"""Bytes. The longest scheme, host and port that are accepted come to fewer."""

DEFAULT_PORTS = {"http": 80, "https": 443}

SCHEME = r"[a-z][a-z0-9+.-]{0,63}"
OPAQUE_HOST = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}"
"""The host of a scheme that the URL standard does not know: an extension's id, an app's
name. Such hosts keep their case and are never taken for IP addresses (URL, "opaque host")."""

# Special schemes (URL): `_WEB` decides about the first two, and no page is on the others.
_NOT_OPAQUE = frozenset({"http", "https", "ws", "wss", "file"})

_PORT = r"(?::([1-9][0-9]{0,4}))?"
_WEB = re.compile(rf"(https?)://(\[[0-9a-f:]{{2,39}}\]|{DOMAIN}){_PORT}")
_OTHER = re.compile(rf"({SCHEME})://({OPAQUE_HOST}){_PORT}")


class Origin(NamedTuple):
    """A tuple origin (URL, "origin")."""

    scheme: str
    host: str
    """IPv6 addresses are in brackets."""
    port: int | None
    """None is the scheme's default port, which is never written."""

    def __str__(self) -> str:
        if self.port is None:
            return f"{self.scheme}://{self.host}"
        return f"{self.scheme}://{self.host}:{self.port}"


def parse_origin(value: bytes) -> Origin | None:
    """The origin whose serialization `value` is, byte for byte; else None.

    "null" is None too, and so is "file://": neither is a tuple origin.
    """
    if len(value) > MAX_LENGTH:
        return None
    text = value.decode("latin-1")
    found = _WEB.fullmatch(text)
    if found is None:
        return _parse_other(text)
    scheme, host, digits = found.groups()
    if not is_web_host(host):
        return None
    if digits is None:
        return Origin(scheme, host, None)
    port = int(digits)
    if port > 65535 or port == DEFAULT_PORTS[scheme]:
        return None
    return Origin(scheme, host, port)


def _parse_other(text: str) -> Origin | None:
    found = _OTHER.fullmatch(text)
    if found is None:
        return None
    scheme, host, digits = found.groups()
    if scheme in _NOT_OPAQUE:
        return None
    if digits is None:
        return Origin(scheme, host, None)
    port = int(digits)
    return Origin(scheme, host, port) if port <= 65535 else None
