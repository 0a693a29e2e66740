"""Whether everything that one entry allows is allowed by another: inclusion of patterns.

Exact, entry by entry, and found by lookups: each entry of a long list is compared with few
others. A wildcard that only several entries cover together counts as not covered: finitely
many ports or labels never add up to all of them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.pattern import OriginPattern

FOREVER: Final = "~"
"""The last day of an entry that has none: later than every day, as texts compare."""


def last_day(pattern: OriginPattern) -> str:
    """Return the last day on which an entry allows anything, or FOREVER."""
    return pattern.until or FOREVER


def covered_until(origins: OriginSet, pattern: OriginPattern) -> str | None:
    """Return the last day on which one entry of `origins` allows all that `pattern` allows, or
    FOREVER; None if none of them does. A day on which `pattern` itself is over may stand for a
    later one. Of equal entries, the first counts: see `lasting`."""
    if pattern.is_exact:
        # By far the most entries of long lists.
        found = origins.match(pattern.text.encode("ascii"))
        if found is None:
            return None
        if last_day(found) >= last_day(pattern):
            return last_day(found)
    return max(map(last_day, covering(origins, pattern)), default=None)


def covering(origins: OriginSet, pattern: OriginPattern) -> Iterator[OriginPattern]:
    """Yield the entries that each allow all that `pattern` allows."""
    if origins.any is not None:
        yield origins.any
    elif pattern.is_exact or pattern.is_null:
        found = origins.match(pattern.text.encode("ascii"))
        if found is not None:
            yield found
            yield from (each for each in origins.covering_host(pattern.host) if _at(each, pattern))
    elif not pattern.is_any:
        yield from origins.including(pattern)


def lasting(origins: OriginSet) -> OriginSet:
    """Return the entries with those first that last longest."""
    if all(each.until is None for each in origins.patterns):
        return origins
    return OriginSet(sorted(origins.patterns, key=last_day, reverse=True))


def widest(patterns: Iterable[OriginPattern]) -> Iterator[OriginPattern]:
    """Yield the entries that no other entry covers for as long as they last, in their order."""
    listed = tuple(patterns)
    # Apart, because among all entries an exact one would be found to cover itself.
    wildcards = lasting(OriginSet(each for each in listed if not (each.is_exact or each.is_null)))
    for pattern in listed:
        if not any(
            wide.text != pattern.text and last_day(wide) >= last_day(pattern)
            for wide in covering(wildcards, pattern)
        ):
            yield pattern


def _at(wide: OriginPattern, narrow: OriginPattern) -> bool:
    return wide.scheme == narrow.scheme and (wide.any_port or wide.port == narrow.port)
