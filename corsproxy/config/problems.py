"""Problems of the allowlist file, and the three ways to print one.

A `Problem` says what is wrong, where, and what to write instead. The text form shows the
line with a caret, as compilers do; `json` is for programs; `github` makes the annotations
that GitHub Actions shows beside the line of a pull request.

Everything printed is escaped: a file can hold no byte that reaches a terminal as a
control sequence.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple
from unicodedata import category, combining, east_asian_width

from corsproxy import errors
from corsproxy.core.source import Source

Severity = Literal["error", "warning"]

_WIDEST_LINE = 120
"""Columns of the file's line that are shown; a longer line is cut around the caret."""

_NARROWEST = 40

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_RED = "\x1b[1;31m"
_YELLOW = "\x1b[1;33m"
_BLUE = "\x1b[1;34m"
_CYAN = "\x1b[1;36m"


class Problem(NamedTuple):
    """One mistake or warning, in the file or in a flag.

    `code` is stable and kebab-case: a part of the interface.
    """

    severity: Severity
    code: str
    message: str
    """Lower case, no full stop, the cause; the remedy is in `help`."""
    source: Source
    length: int = 1
    """How many code points of the line the caret underlines."""
    help: str = ""
    line_text: str = ""
    """The whole line that `source` points into, without its line break."""
    fix: str | None = None
    """What to write instead of the underlined text to be rid of the problem; None where
    only the author can know."""


class ConfigError(errors.ConfigError):
    """The file, or a flag that stands for it, is refused.

    `problems` are all that were found, warnings included, in file order; at least one of
    them is an error.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.source[1:]))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n\n".join(render(problem) for problem in self.problems)


def fixed_line(problem: Problem) -> str | None:
    """Return the line with the problem's fix applied, or None where it has none."""
    if problem.fix is None:
        return None
    start = max(problem.source.column - 1, 0)
    end = start + problem.length
    return problem.line_text[:start] + problem.fix + problem.line_text[end:]


def render(problem: Problem, color: bool = False, width: int | None = None) -> str:
    """Return the problem as text of several lines, without a line break at the end. `width` is
    that of the terminal, which sentences are fitted to; None where it is not known."""
    paint = _paint if color else _plain
    hue = _RED if problem.severity == "error" else _YELLOW
    number = str(problem.source.line) if problem.source.line else ""
    gutter = " " * len(number)
    bar = paint(f"{gutter} |", _BLUE)
    first, *more = _fitted(f"{problem.severity}: {escape(problem.message)}", width, "  ")
    lines = [
        f"{paint(problem.severity, hue)}{paint(first.removeprefix(problem.severity), _BOLD)}",
        *(paint(each, _BOLD) for each in more),
        f"{gutter}{paint('-->', _BLUE)} {escape(str(problem.source))}",
    ]
    if problem.line_text:
        room = _WIDEST_LINE if width is None else max(width - len(gutter) - 5, _NARROWEST)
        shown, before, under = _window(problem, min(room, _WIDEST_LINE))
        lines.append(bar)
        lines.append(f"{paint(f'{number} |', _BLUE)} {shown}")
        lines.append(f"{bar} {' ' * before}{paint('^' * under, hue)}")
    if problem.help:
        start = f"{gutter} = help: "
        first, *more = _fitted(start + escape(problem.help), width, " " * len(start))
        rest = first.removeprefix(start)
        lines.append(f"{gutter} {paint('=', _BLUE)} {paint('help', _CYAN)}: {rest}")
        lines += more
    fixed = fixed_line(problem)
    if fixed is not None and len(fixed) <= _WIDEST_LINE:
        lines.append(f"{paint(f'{number} +', _CYAN)} {escape(fixed)}")
    return "\n".join(lines)


def _fitted(text: str, width: int | None, indent: str) -> list[str]:
    if width is None or len(text) <= width:
        return [text]
    # Imported here, because most files have no problems.
    import textwrap

    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_json(problem: Problem) -> dict[str, str | int | None]:
    """Return the problem as a flat object; line 0 means that it is not in a file."""
    return {
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "help": problem.help,
        "file": problem.source.name,
        "line": problem.source.line,
        "column": problem.source.column,
        "length": problem.length,
        "fix": problem.fix,
    }


def as_github(problem: Problem) -> str:
    """Return the problem as a workflow command of GitHub Actions, one line."""
    text = escape(problem.message)
    if problem.help:
        text += f"\nhelp: {escape(problem.help)}"
    return annotation(problem.severity, problem.source, problem.length, problem.code, text)


def annotation(
    level: Literal["error", "warning", "notice"], source: Source, length: int, title: str, text: str
) -> str:
    """Return a workflow command of GitHub Actions, one line. `text` must be escaped."""
    place = f"file={_property(source.name)}"
    if source.line:
        end = source.column + max(length, 1)
        place += f",line={source.line},col={source.column},endColumn={end}"
    return f"::{level} {place},title={_property(title)}::{_data(text)}"


def escape(text: str) -> str:
    """Return `text` with everything that is not printable written as \\xNN or \\uNNNN.

    Bidirectional controls count as unprintable: they make a line look like another one.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\t":
        return " "
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _window(problem: Problem, widest: int) -> tuple[str, int, int]:
    """The part of the line to show, the columns before the caret, and the caret's width."""
    line = problem.line_text
    start = min(max(problem.source.column - 1, 0), len(line))
    first = max(0, start - widest // 2) if len(line) > widest else 0
    part = line[first : first + widest]
    before = escape(part[: start - first])
    under = escape(part[start - first : start - first + problem.length])
    head = "…" if first else ""
    tail = "…" if first + len(part) < len(line) else ""
    shown = head + escape(part) + tail
    return shown, len(head) + _width(before), max(1, _width(under))


def _width(text: str) -> int:
    """The columns that a terminal gives to `text`."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if combining(character) or category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1


def _paint(text: str, color: str) -> str:
    return f"{color}{text}{_RESET}"


def _plain(text: str, color: str) -> str:
    return text


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")
