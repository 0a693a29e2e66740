"""A change of a file as a unified diff."""

import re
from collections.abc import Iterator, Sequence
from difflib import unified_diff

_CONTEXT = 3
_HUNK = re.compile(r"^@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")
_NO_NEWLINE = "\\ No newline at end of file"


def diff(name: str, before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified diff between two UTF-8 files, without line feeds.

    A carriage return before a line feed stays at the end of its line. No lines where the
    files are equal.
    """
    # As git has it, so that `patch -p1` and `git apply` find a file in this directory.
    old, new = (name, name) if name.startswith("/") else (f"a/{name}", f"b/{name}")
    # Without most of what the files share, which takes the longest to be compared.
    # Bytes, unlike texts, are split at CR and LF only.
    lines, others = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = max(_shared(lines, others) - _CONTEXT, 0)
    tail = max(_shared(lines[:head:-1], others[:head:-1]) - _CONTEXT, 0)
    one = [line.decode("utf-8") for line in lines[head : len(lines) - tail]]
    other = [line.decode("utf-8") for line in others[head : len(others) - tail]]
    found = unified_diff(one, other, old, new, n=_CONTEXT)
    return [line for changed in found for line in _shown(_moved(changed, head))]


def _shared(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """Return how many lines are the same before the first that is not."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _moved(line: str, by: int) -> str:
    """Return the head of a hunk as that of one further down; other lines as they are."""
    return _HUNK.sub(
        lambda found: f"@@ -{int(found[1]) + by}{found[2]} +{int(found[3]) + by}{found[4]} @@", line
    )


def _shown(line: str) -> Iterator[str]:
    if line.endswith(("\n", "\r")):
        yield line.removesuffix("\n")
    else:
        yield line
        yield _NO_NEWLINE
