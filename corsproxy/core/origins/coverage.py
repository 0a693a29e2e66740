"""Whether everything that one entry allows is allowed by another: inclusion of patterns.

Exact, entry by entry, and found by lookups: each entry of a long list is compared with few
others. A wildcard that only several entries cover together counts as not covered: finitely
many ports or labels never add up to all of them.
"""

from collections.abc import Iterator

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.pattern import OriginPattern


def covers(origins: OriginSet, pattern: OriginPattern) -> bool:
    """Whether one entry of `origins` allows all that `pattern` allows."""
    if origins.any is not None:
        return True
    if pattern.is_any:
        return False
    if pattern.is_exact or pattern.is_null:
        return origins.match(pattern.text.encode("ascii")) is not None
    return next(origins.including(pattern), None) is not None


def widest(origins: OriginSet) -> Iterator[OriginPattern]:
    """Yield the entries that no other entry covers, in their order."""
    # Apart, because among all entries an exact one would be found to cover itself.
    wildcards = OriginSet(each for each in origins if not (each.is_exact or each.is_null))
    for pattern in origins:
        if pattern.is_any or not _is_below(wildcards, pattern):
            yield pattern


def _is_below(wildcards: OriginSet, pattern: OriginPattern) -> bool:
    if wildcards.any is not None or pattern.is_exact or pattern.is_null:
        return covers(wildcards, pattern)
    return any(wide.text != pattern.text for wide in wildcards.including(pattern))
