"""Whether everything that one entry allows is allowed by another: inclusion of patterns.

Exact, entry by entry. A wildcard that only several entries cover together counts as not
covered: finitely many ports or labels never add up to all of them.
"""

from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.pattern import OriginPattern, PatternKind


def covers(origins: OriginSet, pattern: OriginPattern) -> bool:
    """Whether one entry of `origins` allows all that `pattern` allows."""
    if origins.any is not None:
        return True
    if pattern.is_any:
        return False
    if pattern.is_exact or pattern.is_null:
        return origins.match(pattern.text.encode("ascii")) is not None
    return any(_includes(wide, pattern) for wide in origins)


def _includes(wide: OriginPattern, narrow: OriginPattern) -> bool:
    """Whether a pattern includes another with a wildcard."""
    if wide.scheme != narrow.scheme or not (wide.any_port or wide.port == narrow.port):
        return False
    if narrow.any_port and not wide.any_port:
        return False
    match wide.kind:
        case PatternKind.ANY_PORT:
            return narrow.kind is PatternKind.ANY_PORT and wide.host == narrow.host
        case PatternKind.LABEL:
            return narrow.kind is PatternKind.LABEL and _includes_label(wide, narrow)
        case PatternKind.SUBDOMAINS:
            return _is_below(wide, narrow)
        case _:
            return False


def _includes_label(wide: OriginPattern, narrow: OriginPattern) -> bool:
    before, after = len(wide.prefix), len(wide.suffix)
    return (
        wide.host == narrow.host
        and narrow.prefix.startswith(wide.prefix)
        and narrow.suffix.endswith(wide.suffix)
        # A `*` stands for no underscore.
        and "_" not in narrow.prefix[before:] + narrow.suffix[: len(narrow.suffix) - after]
    )


def _is_below(wide: OriginPattern, narrow: OriginPattern) -> bool:
    if narrow.kind is PatternKind.ANY_PORT:
        return narrow.host.endswith(f".{wide.host}")
    return narrow.host == wide.host or narrow.host.endswith(f".{wide.host}")
