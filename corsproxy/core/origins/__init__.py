"""Origins and the patterns that name them (Fetch, "Origin" header; URL, "origin").

`parse_origin` takes what a browser sent and never raises. `parse_origin_pattern` takes
what a person wrote in the allowlist and says why not. `OriginSet` answers "which entry
allows this origin" at a cost that does not depend on the number of entries.
`near_misses` finds the entries that a refused origin came close to.
"""

from corsproxy.core.origins.entries import parse_origin_pattern
from corsproxy.core.origins.matching import OriginSet
from corsproxy.core.origins.near_misses import NearMiss, near_misses
from corsproxy.core.origins.origin import MAX_LENGTH, Origin, parse_origin
from corsproxy.core.origins.pattern import OriginPattern, OriginPatternError, PatternKind

LOOPBACK_ORIGINS: tuple[str, ...] = (
    "http://localhost:*", "https://localhost:*", "http://*.localhost:*", "https://*.localhost:*",
    "http://127.0.0.1:*", "https://127.0.0.1:*", "http://[::1]:*", "https://[::1]:*",
)  # fmt: skip
"""The entries of the policy without a file: pages that this machine serves."""

__all__ = [
    "LOOPBACK_ORIGINS", "MAX_LENGTH", "NearMiss", "Origin", "OriginPattern", "OriginPatternError",
    "OriginSet", "PatternKind", "near_misses", "parse_origin", "parse_origin_pattern",
]  # fmt: skip
