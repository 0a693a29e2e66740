"""Set-Cookie as this listener's clients can keep it (RFC 6265bis, 5.6 and 5.7).

A cookie made for `api.example.com` over https is dropped by a browser that got it from
`http://localhost:8010`: its Domain is not this host, Secure and SameSite=None need https,
and its Path is the upstream's. Only these attributes change. The name, the value and all
other attributes pass byte for byte, and what cannot be parsed is passed on as it is:
whether to keep it is the browser's decision.
"""

from collections.abc import Iterable
from typing import Final

from corsproxy.core.messages import Field
from corsproxy.core.paths import client_path

_OWS: Final = b" \t"

# RFC 6265bis, 4.1.3, "cookie name prefixes", in lower case. Browsers compare them without
# case.
_SECURE_PREFIXES: Final = (b"__secure-", b"__host-", b"__http-")
_HOST_PREFIX: Final = b"__host-"


def rewrite_set_cookie(
    value: bytes, *, secure_listener: bool, base: bytes, path: bytes, strip_path: bool
) -> bytes:
    """Return a Set-Cookie value that works on this listener; the same bytes if it already does.

    `base` is the upstream's path prefix, `path` the route's. Where the client came over
    plain http, Secure and Partitioned go and SameSite=None becomes Lax, which suffices
    between ports of one host: they are one site. Names with a prefix that promises Secure
    keep all three, since no browser accepts them without; Chromium and Firefox do take
    them from http://localhost.
    """
    pair, *attributes = value.split(b";")
    if not attributes:
        return value
    name = pair.partition(b"=")[0].strip(_OWS).lower()
    insecure = not secure_listener and not name.startswith(_SECURE_PREFIXES)
    client_prefix = path if strip_path and path != b"/" else b""
    # __Host- promises Path=/, and without it the cookie would be dropped.
    maps_paths = bool(base or client_prefix) and not name.startswith(_HOST_PREFIX)
    kept = [pair]
    for attribute in attributes:
        written, equals, argument = attribute.partition(b"=")
        match written.strip(_OWS).lower():
            case b"domain":
                continue
            case b"secure" | b"partitioned" if insecure:
                continue
            case b"samesite" if insecure and argument.strip(_OWS).lower() == b"none":
                attribute = written + equals + argument.replace(argument.strip(_OWS), b"Lax")
            case b"path" if maps_paths:
                old = argument.strip(_OWS)
                new = _map_path(old, base, client_prefix)
                attribute = written + equals + argument.replace(old, new, 1)
            case _:
                pass
        kept.append(attribute)
    return b";".join(kept)


def _map_path(path: bytes, base: bytes, client_prefix: bytes) -> bytes:
    """Return a Path for the client. The root stays the root: such a cookie is meant for
    everything. One outside of what the route reaches would never be sent again, so it
    becomes the root too."""
    if not path.startswith(b"/") or path == b"/":
        return path  # without the slash, browsers take the request's own directory
    return client_path(path, base, client_prefix) or b"/"


INSPECTOR_COOKIE: Final = b"corsproxy-inspector-"
"""How the names of inspector cookies begin; a port follows."""


def may_hold_inspector_cookies(cookies: Iterable[bytes]) -> bool:
    """Whether these values of Cookie need a closer look."""
    # Bytes are searched with `find`, because `in` first tries whether they are a number.
    return any(value.find(INSPECTOR_COOKIE) >= 0 for value in cookies)


def without_inspector_cookies(fields: list[Field]) -> list[Field]:
    """Return request fields without the cookies of inspectors, which browsers send to every
    port of the host and which no upstream may see."""
    return [each for field in fields for each in _kept(field)]


def _kept(field: Field) -> list[Field]:
    name, value = field
    if name.lower() != b"cookie":
        return [field]
    pairs = [
        pair for pair in value.split(b";") if not pair.strip(b" \t").startswith(INSPECTOR_COOKIE)
    ]
    kept = b";".join(pairs).strip(b" \t")
    return [(name, kept)] if kept else []
