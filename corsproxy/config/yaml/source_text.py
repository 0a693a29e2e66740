"""The text of the file: its lines, the places in it, and problems that point at them."""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from corsproxy.config.problems import ConfigError, Problem, Severity
from corsproxy.core.source import Source

MAX_BYTES = 1024 * 1024

LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Mark(NamedTuple):
    """A place in the text: `offset` from 0, `line` and `column` from 1, in code points."""

    offset: int
    line: int
    column: int


class Span(Protocol):
    """Anything that is written somewhere."""

    @property
    def start(self) -> Mark: ...

    @property
    def end(self) -> Mark: ...


class Extent(NamedTuple):
    """A part of the text, from its first character to behind its last."""

    start: Mark
    end: Mark


class SourceText:
    """A file's text under the name that messages call it by."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        # Splitting at one character takes a fifth of the time.
        self.lines: Sequence[str] = LINE_BREAK.split(text) if "\r" in text else text.split("\n")

    def line(self, number: int) -> str:
        """Return line `number` without its line break; "" beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def source(self, span: Span) -> Source:
        return Source(self.name, span.start.line, span.start.column)

    def raw(self, span: Span) -> str:
        """Return what is written between the span's marks."""
        return self.text[span.start.offset : span.end.offset]

    def at(
        self,
        code: str,
        line: int,
        column: int,
        length: int,
        message: str,
        help: str = "",
        fix: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """Return a problem that underlines `length` code points from line:column."""
        source = Source(self.name, line, column)
        return Problem(severity, code, message, source, max(length, 1), help, self.line(line), fix)

    def problem(
        self,
        code: str,
        span: Span,
        message: str,
        help: str = "",
        fix: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """Return a problem that underlines the span, as far as its first line goes."""
        start, end = span.start, span.end
        line = self.line(start.line)
        length = (end.column if end.line == start.line else len(line) + 1) - start.column
        if end.line != start.line:
            fix = None
        return self.at(code, start.line, start.column, length, message, help, fix, severity)


def read_text(data: str | bytes, name: str) -> SourceText:
    """Return the file's text, without a byte order mark.

    Raises ConfigError for what is too large or not UTF-8.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        message = f"the file has more than {MAX_BYTES:,} bytes"
        raise ConfigError([_at_start(name, "file-too-large", message, "is this the right file?")])
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        help = "save it as UTF-8 (> in Windows PowerShell writes UTF-16)"
        raise ConfigError([_at_start(name, "not-utf-8", "the file is UTF-16, not UTF-8", help)])
    try:
        return SourceText(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = SourceText(name, data[: error.start].decode("utf-8-sig", "replace"))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        column = len(before.lines[-1]) + 1
        problem = before.at(
            "not-utf-8", len(before.lines), column, 1, message, "save the file as UTF-8"
        )
        raise ConfigError([problem]) from error


def _at_start(name: str, code: str, message: str, help: str) -> Problem:
    return Problem("error", code, message, Source(name, 1, 1), help=help)
