"""Paths as the upstream knows them, and the paths under which the client reaches them.

Prefixes are of whole segments and have no trailing slash: b"" or b"/v2". Paths stay byte
for byte; only the prefix changes.
"""

import re

_DOT_SEGMENT = re.compile(rb"[/\\](?:\.|%2e){1,2}(?:[/\\]|$)", re.IGNORECASE)


def client_path(path: bytes, upstream_prefix: bytes, client_prefix: bytes) -> bytes | None:
    """Return `path` with one prefix replaced by the other; None if it has another prefix.

    This is the inverse of what happens to a request's path on its way to the upstream.
    """
    rest = path.removeprefix(upstream_prefix)
    if rest[:1] not in (b"/", b"") or len(rest) != len(path) - len(upstream_prefix):
        return None
    return client_prefix + rest or b"/"


def has_dot_segments(path: bytes) -> bool:
    """Whether a URL parser would resolve parts of `path` (URL, "double-dot URL path
    segment"), so that its beginning does not tell where it leads."""
    return _DOT_SEGMENT.search(path) is not None
