"""Plain field lines, read without a parser.

A plain line ends with CRLF (RFC 9112, 2.2) and is a token, a colon, one space and a value of at
least one byte, without control characters and without white space at its ends (RFC 9112, 5).
All parsers read it the same way.

Peers repeat most lines from one head to the next, in the same places. A line that is the same
as the last one in its place is not read again.
"""

from typing import TYPE_CHECKING, Final

from corsproxy.core.fields import NameTable, is_token
from corsproxy.core.messages import Boxed

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

CR: Final = 0x0D
LF: Final = 0x0A
SPACE: Final = 0x20
_COLON: Final = 0x3A
_DELETE: Final = 0x7F
_ZERO: Final = 0x30

_MOST_DIGITS: Final = 18

# Bounds on what is remembered of one peer's lines.
_MOST_LINES: Final = 48
_LONGEST_LINE: Final = 128

# What a field means to the connection; readers define further roles.
OTHER: Final = 0
UNUSUAL: Final = -1
"""The role of a field whose line is never plain, whatever its value."""


class Meaning:
    """A field's name, and what it means to the connection.

    All lines share the name that was read first: tables find the same object sooner than an
    equal one.
    """

    __slots__ = ("name", "role")

    def __init__(self, name: bytes, role: int) -> None:
        self.name: Final = name
        self.role: Final = role


def roles_of(roles: dict[bytes, int]) -> NameTable[Meaning]:
    """Return a table of roles by name in any case; `roles` has the names in lower case."""

    def meaning(name: bytes) -> Meaning:
        return Meaning(name, roles.get(name.lower(), OTHER) if is_token(name) else UNUSUAL)

    return NameTable(meaning)


class PlainLine:
    """A field line that is plain."""

    __slots__ = ("field", "line", "role")

    def __init__(self, field: Boxed, line: bytes, role: int) -> None:
        self.field: Final = field
        self.line: Final = line
        """Without its end."""
        self.role: Final = role


class PlainLines:
    """Reads the plain lines of one connection's heads."""

    __slots__ = ("_known", "_roles")

    def __init__(self, roles: NameTable[Meaning]) -> None:
        self._roles: Final = roles
        self._known: list[PlainLine] = []

    def read(self, place: int, data: bytes, start: "i64", bound: "i64") -> PlainLine | None:
        """Return the line that begins in `data` at `start`, number `place` of its head; None if
        it is not plain, or does not end before `bound`.

        Three more bytes must follow `bound`.
        """
        known = self._known
        said = known[place] if place < len(known) else None
        if said is not None and has_line(data, start, said.line, bound):
            return said
        end = end_of_line(data, start, bound)
        if end <= start:
            return None
        said = self._take_apart(data[start:end], said)
        if said is None:
            return None
        line = said.line
        if len(line) <= _LONGEST_LINE and place < _MOST_LINES:
            if place < len(known):
                known[place] = said
            elif place == len(known):
                known.append(said)
        return said

    def _take_apart(self, line: bytes, before: PlainLine | None) -> PlainLine | None:
        """Return a line that may be plain; `before` is the last one in its place, which has often
        the same name."""
        name, role = (b"", OTHER) if before is None else (before.field[0], before.role)
        if name and _has_name(line, name):
            value = line[len(name) + 2 :]
        else:
            name, colon, value = line.partition(b": ")
            meaning = self._roles[name]
            name, role = meaning.name, meaning.role
            if not colon or role == UNUSUAL:
                return None
        if not value or value[0] == SPACE or value[-1] == SPACE:
            return None
        return PlainLine((name, value), line, role)


def _has_name(line: bytes, name: bytes) -> bool:
    """Whether a line begins with a name, a colon and a space."""
    end: i64 = len(name)
    return (
        end + 2 <= len(line)
        and line.startswith(name)
        and (line[end] == _COLON and line[end + 1] == SPACE)
    )


def has_line(data: bytes, start: "i64", line: bytes, bound: "i64") -> bool:
    """Whether `line` is at `start`, and ends before `bound`."""
    end: i64 = start + len(line)
    return end < bound and data[start:end] == line and data[end] == CR and data[end + 1] == LF


# These are loops over machine integers because, when compiled, they cost a few instructions per
# byte, while calling a method of `bytes` costs hundreds.


def end_of_line(data: bytes, start: "i64", bound: "i64") -> "i64":
    """Return where the line's CRLF is, before `bound`; negative if there is none, or if a control
    character comes first."""
    for at in range(start, bound):
        byte = data[at]
        if byte < SPACE or byte == _DELETE:
            return at if byte == CR and data[at + 1] == LF else -1
    return -1


def number(value: bytes) -> int:
    """Return the value of decimal digits; negative for anything else and for too many."""
    said: i64 = 0
    digits = len(value)
    if digits > _MOST_DIGITS:
        return -1
    for at in range(digits):
        digit: i64 = value[at] - _ZERO
        if not 0 <= digit <= 9:
            return -1
        said = 10 * said + digit
    return said
