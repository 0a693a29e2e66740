"""A change of a file as a unified diff."""

from collections.abc import Iterator
from difflib import unified_diff

from corsproxy.config.yaml.source_text import LINE_BREAK

_NO_NEWLINE = "\\ No newline at end of file"


def diff(name: str, before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified diff between two UTF-8 files, without line feeds.

    A carriage return before a line feed stays at the end of its line. No lines where the
    files are equal.
    """
    # As git has it, so that `patch -p1` and `git apply` find a file in this directory.
    old, new = (name, name) if name.startswith("/") else (f"a/{name}", f"b/{name}")
    found = unified_diff(_lines(before), _lines(after), old, new)
    return [line for changed in found for line in _shown(changed)]


def _lines(data: bytes) -> list[str]:
    return list(_split(data.decode("utf-8")))


def _split(text: str) -> Iterator[str]:
    """The lines of `text` with their line breaks."""
    start = 0
    for found in LINE_BREAK.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]


def _shown(line: str) -> Iterator[str]:
    if line.endswith(("\n", "\r")):
        yield line.removesuffix("\n")
    else:
        yield line
        yield _NO_NEWLINE
