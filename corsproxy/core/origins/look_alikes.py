"""Origins that look like one that an entry allows, and are another: what an allowlist that
compares carelessly lets in.

An unanchored pattern, a dot that matches any character, a comparison without case: each
mistake has an origin here that tells it from the right rule.
"""

from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.origin import DEFAULT_PORTS
from corsproxy.core.origins.pattern import EXACT, OriginPattern, PatternKind

_OTHER_SCHEME = {"http": "https", "https": "http"}


class LookAlike(NamedTuple):
    """An origin that must be refused as far as `entry` goes."""

    entry: OriginPattern
    kind: str
    """suffix, prefix, dot, case, scheme, port, trailing-dot or null."""
    origin: str
    is_allowed: bool = False
    """Whether it is let in all the same: a fault of the comparison, or of the deployment that was
    asked."""


def look_alikes(origins: OriginSet) -> Iterator[LookAlike]:
    """Yield those of every entry that no entry allows on purpose; none where all are allowed."""
    if origins.any is not None:
        return
    for pattern in origins:
        for kind, origin in _of(pattern):
            value = origin.encode("utf-8")
            if origins.match(value) is None:
                yield LookAlike(pattern, kind, origin)
            elif OriginSet([pattern]).match(value) is not None:
                yield LookAlike(pattern, kind, origin, True)


def _of(pattern: OriginPattern) -> Iterator[tuple[str, str]]:
    """Yield kinds and origins. Without helpers: a long list has a hundred thousand."""
    if pattern.is_null or not pattern.host:
        return
    port = "" if pattern.port is None else f":{pattern.port}"
    scheme = pattern.scheme
    host = pattern.host if pattern.kind is EXACT else sample_host(pattern)
    is_name = not host.startswith("[")
    yield "suffix", f"{scheme}://{host}.evil.example{port}"
    yield "prefix", f"{scheme}://{_prefixed(pattern, host)}{port}"
    if is_name and "." in pattern.host:
        # The first dot of what is written; a sample's own dots are in front of it.
        above = host[: len(host) - len(pattern.host)]
        yield "dot", f"{scheme}://{above}{pattern.host.replace('.', 'x', 1)}{port}"
    upper = host.upper()
    yield "case", f"{scheme if upper != host else scheme.upper()}://{upper}{port}"
    if scheme in _OTHER_SCHEME:
        yield "scheme", f"{_OTHER_SCHEME[scheme]}://{host}{port}"
    if not pattern.any_port and scheme in DEFAULT_PORTS:
        yield "port", f"{scheme}://{host}:{8444 if port != ':8444' else 8445}"
    if is_name:
        yield "trailing-dot", f"{scheme}://{host}.{port}"
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
    if pattern.kind is EXACT or pattern.kind is PatternKind.ANY_PORT:
        return f"evil-{host}" if host[0] != "[" else f"evil.{host[1:-1].replace(':', '-')}"
    # In front of what the wildcard hangs on, the dot between them gone.
    return f"x7evil{pattern.host}"
