"""Where a redirect leads, as a browser reads it (URL, "basic URL parser").

Only as much of a URL is read as decides whether the browser stays with this proxy: the
scheme, the authority, and whether there is userinfo.
"""

import re
from typing import Final, NamedTuple

from corsproxy.core.origins.hosts import ends_in_number, is_ipv4

_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_SLASHES: Final = re.compile(rb"[/\\]*")
_AUTHORITY: Final = re.compile(rb"[^/\\?#]*")
_HOST_AND_PORT: Final = re.compile(rb"([^:\[\]]+|\[[0-9a-f:.]+\])(?::([0-9]*))?")
# URL, "forbidden host code point", but for those that end or split an authority; Chromium
# takes a space, and what is percent-encoded.
_FORBIDDEN_IN_HOST: Final = re.compile(rb"[\x00-\x1f<>^|]|%(?![0-9a-f]{2})")
_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}


class Destination(NamedTuple):
    """A URL that a redirect leads to."""

    scheme: bytes
    origin: bytes
    """scheme://host[:port]; empty where the scheme is neither http nor https."""
    url: bytes
    """Absolute, without userinfo."""
    has_userinfo: bool = False


def destination(own: bytes, location: bytes) -> Destination | None:
    """Return where `location` leads from a response of the origin `own`; None where it is
    no URL."""
    text = location.strip(b"\x00\t\n\x0c\r ").translate(None, b"\t\n\r")
    own_scheme = own.partition(b":")[0]
    found = _SCHEME.fullmatch(text)
    scheme, rest = (own_scheme, text) if found is None else (found[1].lower(), found[2])
    if scheme not in _DEFAULT_PORTS:
        return Destination(scheme, b"", text)
    slashes = _SLASHES.match(rest)
    count = 0 if slashes is None else slashes.end()
    if count < 2 and scheme == own_scheme:
        return Destination(scheme, own, own + (rest if count else b"/" + rest))
    return _absolute(scheme, rest[count:])


def _absolute(scheme: bytes, text: bytes) -> Destination | None:
    match = _AUTHORITY.match(text)
    end = 0 if match is None else match.end()
    userinfo, at, host = text[:end].rpartition(b"@")
    authority = _authority(scheme, host.lower())
    if authority is None:
        return None
    origin = scheme + b"://" + authority
    return Destination(scheme, origin, origin + (text[end:] or b"/"), bool(at and userinfo))


def _authority(scheme: bytes, text: bytes) -> bytes | None:
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or _FORBIDDEN_IN_HOST.search(found[1]) is not None:
        return None
    host, port = found[1], found[2]
    name = host.decode("latin-1")
    if ends_in_number(name) and not is_ipv4(name):
        return None
    if not port or int(port) == _DEFAULT_PORTS[scheme]:
        return host
    return b"%s:%d" % (host, int(port)) if len(port) < 10 and int(port) < 65536 else None
