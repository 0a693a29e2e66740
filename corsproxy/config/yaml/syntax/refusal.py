"""What a parser said about the text that it refused, and where."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.config.problems import Problem
from corsproxy.config.yaml.source_text import SourceText

_KEY = re.compile(r"(?<![^\s{,])([A-Za-z_]\w*):(?=\s)")
_BARE_KEY = re.compile(r"[ ]*(?:- +)*([A-Za-z_]\w*):\s*(?:\[[^\]]*|#.*)?")
_BEFORE_KEY = re.compile(r"[ ]*(?:- +)*")


class Line(NamedTuple):
    """A line with content."""

    number: int
    text: str

    @property
    def indent(self) -> int:
        """The spaces before a key or a dash."""
        return len(self.text) - len(self.text.lstrip(" "))

    @property
    def key_indent(self) -> int:
        """The columns before a key, dashes included: where the next key stands."""
        found = _BEFORE_KEY.match(self.text)
        return found.end() if found else 0


class Refusal(NamedTuple):
    """A parser's refusal. Lines and columns count from 1."""

    source: SourceText
    problem: str
    """What the parser missed or did not want."""
    line: int
    column: int
    context: str
    """What it was reading."""
    context_line: int
    context_column: int
    """Where that began."""

    @property
    def text(self) -> str:
        """The line where the parser stopped."""
        return self.source.line(self.line)

    @property
    def before(self) -> str:
        """The part of that line before the place."""
        return self.text[: self.column - 1]

    @property
    def character(self) -> str:
        """The character at the place; "" at the end of a line."""
        return self.text[self.column - 1 : self.column]

    def above(self) -> Iterator[Line]:
        """The lines with content above the place, the nearest first."""
        for number in range(self.line - 1, 0, -1):
            text = self.source.line(number)
            if text.strip() and not text.lstrip().startswith("#"):
                yield Line(number, text)

    @property
    def goes_on(self) -> bool:
        """Whether the next line is indented further than the one of the place."""
        next_line = self.source.line(self.line + 1)
        return bool(next_line.strip()) and Line(0, next_line).indent > Line(0, self.text).indent

    def key_of(self, line: int, column: int) -> str:
        """Return the key whose value the place is a part of, as far as its looks tell; or ""."""
        text = self.source.line(line)
        if keys := _KEY.findall(text[: column - 1]):
            return str(keys[-1])
        indent = Line(line, text).indent
        for above in self._replace(line=line).above():
            found = _BARE_KEY.fullmatch(above.text)
            if found is not None and above.indent <= indent:
                return found[1]
        return ""

    def at(
        self,
        code: str,
        place: tuple[int, int],
        length: int,
        message: str,
        help: str = "",
        fix: str | None = None,
    ) -> Problem:
        """Return a problem at `place`, a line and a column."""
        return self.source.at(code, *place, length, message, help, fix)
