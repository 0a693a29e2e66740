"""Origins that look like one that an entry allows, and are another: what an allowlist that
compares carelessly lets in.

An unanchored pattern, a dot that matches any character, a comparison without case: each
mistake has an origin here that tells it from the right rule.
"""

from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.origin import DEFAULT_PORTS
from corsproxy.core.origins.pattern import OriginPattern, PatternKind

_OTHER_SCHEME = {"http": "https", "https": "http"}


class LookAlike(NamedTuple):
    """An origin that must be refused as far as `entry` goes."""

    entry: OriginPattern
    kind: str
    """suffix, prefix, dot, case, scheme, port, trailing-dot or null."""
    origin: str


def look_alikes(origins: OriginSet) -> Iterator[LookAlike]:
    """Yield those of every entry that no entry allows on purpose; none where all are allowed."""
    if origins.any is not None:
        return
    for pattern in origins:
        for kind, origin in _of(pattern):
            if origins.match(origin.encode("utf-8")) is None or _is_careless(pattern, origin):
                yield LookAlike(pattern, kind, origin)


def _is_careless(pattern: OriginPattern, origin: str) -> bool:
    """Whether the entry itself allows it, which would be a fault of the comparison."""
    return OriginSet([pattern]).match(origin.encode("utf-8")) is not None


def _of(pattern: OriginPattern) -> Iterator[tuple[str, str]]:
    if pattern.is_null or not pattern.host:
        return
    port = "" if pattern.port is None else f":{pattern.port}"
    scheme, host = pattern.scheme, sample_host(pattern)

    def origin(host: str, scheme: str = scheme, port: str = port) -> str:
        return f"{scheme}://{host}{port}"

    yield "suffix", origin(f"{host}.evil.example")
    yield "prefix", origin(_prefixed(pattern, host))
    if "." in pattern.host and not pattern.host.startswith("["):
        yield "dot", origin(_without_a_dot(pattern, host))
    yield "case", origin(host.upper()) if host.upper() != host else origin(host, scheme.upper())
    if scheme in _OTHER_SCHEME:
        yield "scheme", origin(host, _OTHER_SCHEME[scheme])
    if not pattern.any_port and scheme in DEFAULT_PORTS:
        yield "port", origin(host, port=":8444" if port != ":8444" else ":8445")
    if not host.startswith("["):
        yield "trailing-dot", origin(f"{host}.")
    yield "null", "null"


def sample_host(pattern: OriginPattern) -> str:
    """Return a host that the entry allows."""
    match pattern.kind:
        case PatternKind.SUBDOMAINS:
            return f"x7.{pattern.host}"
        case PatternKind.LABEL:
            return f"{pattern.prefix}x7{pattern.suffix}.{pattern.host}"
        case _:
            return pattern.host


def sample(pattern: OriginPattern) -> str:
    """Return an origin that the entry allows; a `"*"` and `"null"` are themselves."""
    if not pattern.host or pattern.is_null:
        return pattern.text
    port = "" if pattern.port is None or pattern.any_port else f":{pattern.port}"
    return f"{pattern.scheme}://{sample_host(pattern)}{port}"


def _prefixed(pattern: OriginPattern, host: str) -> str:
    if pattern.kind is PatternKind.EXACT or pattern.kind is PatternKind.ANY_PORT:
        return (
            f"evil-{host}" if not host.startswith("[") else f"evil.{host[1:-1].replace(':', '-')}"
        )
    # In front of what the wildcard hangs on, the dot between them gone.
    return f"x7evil{pattern.host}"


def _without_a_dot(pattern: OriginPattern, host: str) -> str:
    before = host.removesuffix(pattern.host)
    return before + pattern.host.replace(".", "x", 1)
