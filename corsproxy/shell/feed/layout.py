"""Fits lines to the width of a terminal.

Only plain text without control characters comes here. A line with a command is never broken,
so that it can be copied.
"""

import re
import sys
from typing import Final, Literal, TextIO

Stream = Literal["stdout", "stderr"]

INDENT: Final = " " * 10
_NARROWEST: Final = 40
# The text before a command.
_COMMAND: Final = re.compile(r"(?s)(.*?\b(?:[Rr]un|[Ss]tart it with): )(corsproxy .*)")


def terminal_width() -> int:
    """Return the number of columns; 100 if unknown."""
    # Imported here and below, because most output fits, or goes to no terminal.
    from shutil import get_terminal_size

    return get_terminal_size((100, 24)).columns


def known_width(stream: Stream) -> int | None:
    """Return the number of columns; None if `stream` is not a terminal.

    COLUMNS alone does not make a terminal: piped output is for programs, which need whole lines.
    """
    where: TextIO | None = getattr(sys, stream)
    if where is None or where.closed or not where.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size((0, 0)).columns or None


def fitted(text: str, width: int | None) -> str:
    """Wrap a text to `width`. A command is not broken and has its own line; continuation lines
    are indented by two more spaces."""
    if width is None or len(text) <= width:
        return text
    from textwrap import wrap

    lines: list[str] = []
    for line in text.split("\n"):
        found = _COMMAND.fullmatch(line)
        if len(line) <= width:
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())] + "  "
        sentence = line if found is None else found[1].rstrip()
        lines += wrap(
            sentence,
            max(width, _NARROWEST),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [] if found is None else [f"{indent}{found[2]}"]
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, shortened in the middle: a path's beginning
    and its end both help to identify it."""
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"


def paragraph(text: str, width: int) -> list[str]:
    """Return a sentence as indented lines; a command at its end has its own line, whatever its
    length."""
    found = _COMMAND.fullmatch(text)
    if found is not None and len(INDENT) + len(text) > width:
        return [*_wrapped(found[1], width), f"{INDENT}  {found[2]}"]
    return _wrapped(text, width) if found is None else [INDENT + text]


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(
        text.strip(),
        max(width, _NARROWEST),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_on_hyphens=False,
    )
