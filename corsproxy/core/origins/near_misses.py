"""The entries that a refused origin came close to, so that a refusal can name the line.

Costs more than a match and is still bounded: it is asked about refused requests, which
anyone can send.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal, NamedTuple

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.origin import MAX_LENGTH, Origin, parse_origin
from corsproxy.core.origins.pattern import OriginPattern, PatternKind

Difference = Literal[
    "trailing-slash", "case", "port", "scheme", "localhost-name", "www", "apex", "subdomain",
    "host-typo",
]  # fmt: skip

_SENTENCES: Final[dict[Difference, str]] = {
    "trailing-slash": "{entry} would allow it without the trailing slash, which no browser sends.",
    "case": "{entry} would allow it in lower case, in which browsers send it.",
    "port": "{entry} has the same host, but the request came from {port}.",
    "scheme": "{entry} has the same host, but the request came from {scheme}://.",
    "localhost-name": "{entry} names the same machine, but to browsers localhost, 127.0.0.1 and "
    "[::1] are different origins.",
    "www": "{entry} differs in www., and to browsers these are different origins.",
    "apex": "{entry} allows the subdomains of {host}, but not {host} itself.",
    "subdomain": "{entry} allows that host alone, and none of its subdomains.",
    "host-typo": "{entry} is spelled almost the same.",
}
_LIMIT = 3
_CANDIDATES = 256
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class NearMiss(NamedTuple):
    """An entry that would have allowed the origin, but for one difference."""

    pattern: OriginPattern
    difference: Difference
    sentence: str
    """The difference in words."""


def near_misses(value: bytes, origins: OriginSet) -> tuple[NearMiss, ...]:
    """The entries of `origins` that `value`, which they refuse, came closest to.

    At most three, the likeliest mistake first, then in file order, spellings by how close they
    are; none for an allowed origin, for "null", which nothing comes close to, and for what is
    no origin at all.
    """
    if origins.match(value) is not None or len(value) > MAX_LENGTH:
        return ()
    origin = parse_origin(value)
    found = _misspelled(value, origins) if origin is None else _near(origin, origins)
    return tuple(islice(_once_each(found), _LIMIT))


def _once_each(misses: Iterator[NearMiss]) -> Iterator[NearMiss]:
    seen: set[OriginPattern] = set()
    for miss in misses:
        if miss.pattern not in seen:
            seen.add(miss.pattern)
            yield miss


def _misspelled(value: bytes, origins: OriginSet) -> Iterator[NearMiss]:
    """What only a program sends: an origin with a slash at its end, or in upper case."""
    plain = value.removesuffix(b"/")
    found = origins.match(plain)
    if found is not None:
        yield _miss(found, "trailing-slash")
        return
    found = origins.match(plain.lower())
    if found is not None:
        yield _miss(found, "case")


def _near(origin: Origin, origins: OriginSet) -> Iterator[NearMiss]:
    yield from _other_ports(origin, origins)
    yield from _variants(origin, origins)
    yield from _relatives(origin, origins)
    yield from _typos(origin, origins)


def _other_ports(origin: Origin, origins: OriginSet) -> Iterator[NearMiss]:
    covering = tuple(islice(origins.covering_host(origin.host), _CANDIDATES))
    for pattern in covering:
        if pattern.scheme == origin.scheme:
            yield _miss(pattern, "port", origin)
    for pattern in covering:
        if pattern.scheme != origin.scheme:
            yield _miss(pattern, "scheme", origin)


def _variants(origin: Origin, origins: OriginSet) -> Iterator[NearMiss]:
    """Other spellings of the host, under which the origin would be allowed."""
    host = origin.host
    if host in _LOOPBACK_HOSTS:
        for name in _LOOPBACK_HOSTS:
            found = origins.match(str(origin._replace(host=name)).encode())
            if found is not None:
                yield _miss(found, "localhost-name")
    other = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    found = origins.match(str(origin._replace(host=other)).encode())
    if found is not None:
        yield _miss(found, "www")


def _relatives(origin: Origin, origins: OriginSet) -> Iterator[NearMiss]:
    for pattern in origins.at_host(origin.host):
        if pattern.kind is PatternKind.SUBDOMAINS and pattern.scheme == origin.scheme:
            yield _miss(pattern, "apex", origin)
    parent = origin.host.partition(".")[2]
    while parent:
        for pattern in origins.at_host(parent):
            if pattern.kind is PatternKind.EXACT and pattern.scheme == origin.scheme:
                yield _miss(pattern, "subdomain", origin)
        parent = parent.partition(".")[2]


def _typos(origin: Origin, origins: OriginSet) -> Iterator[NearMiss]:
    for pattern in origins.spelled_like(origin.host):
        if pattern.scheme == origin.scheme and (pattern.any_port or pattern.port == origin.port):
            yield _miss(pattern, "host-typo", origin)


def _miss(pattern: OriginPattern, difference: Difference, origin: Origin | None = None) -> NearMiss:
    sentence = _SENTENCES[difference]
    if origin is None:
        return NearMiss(pattern, difference, sentence.format(entry=pattern.text))
    port = "the default port" if origin.port is None else f"port {origin.port}"
    return NearMiss(
        pattern,
        difference,
        sentence.format(entry=pattern.text, port=port, host=origin.host, scheme=origin.scheme),
    )
