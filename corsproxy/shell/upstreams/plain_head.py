"""The head of a response in which nothing is unusual, read in one pass.

Most heads are of this form, and llhttp, which calls back for each field, takes three times as
long to read them. What is plain is well-formed for llhttp too, and means the same to it; about
everything else, well-formed or not, `read_plain_head` has no opinion, and llhttp decides.

Plain is a final HTTP/1.1 response whose head has arrived whole: lines that end with CRLF (RFC
9112, 2.2), each a token, a colon, one space and a value of at least one byte, without control
characters and without white space at its ends (RFC 9112, 5); no transfer coding; at most one
Content-Length, of a number below 10^18 (RFC 9110, 8.6); at most one Connection, which says
`keep-alive` or `close` and nothing else (RFC 9112, 9.3).
"""

import re
from typing import TYPE_CHECKING, Final

from corsproxy.core.fields import NameTable, is_token
from corsproxy.core.messages import FieldLine

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

_CR: Final = 0x0D
_LF: Final = 0x0A
_SPACE: Final = 0x20
_DELETE: Final = 0x7F
_ZERO: Final = 0x30

_MOST_DIGITS: Final = 18

# What a connection remembers of field lines: so many, of so many bytes at most.
_MOST_LINES: Final = 48
_LONGEST_LINE: Final = 128

# What a field of the response is to its connection.
_OTHER: Final = 0
_LENGTH: Final = 1
_CONNECTION: Final = 2
_KEEP_ALIVE: Final = 3
_TYPE: Final = 4
_UNUSUAL: Final = 5

_ROLES: Final[dict[bytes, int]] = {
    b"connection": _CONNECTION,
    b"content-length": _LENGTH,
    b"content-type": _TYPE,
    b"keep-alive": _KEEP_ALIVE,
    # What llhttp reads for itself, and what hardly a response has.
    **dict.fromkeys((b"proxy-connection", b"trailer", b"transfer-encoding", b"upgrade"), _UNUSUAL),
}

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ((?:[!-~\x80-\xff][ -~\x80-\xff]*)?)")


def _role(name: bytes) -> int:
    return _ROLES.get(name.lower(), _OTHER) if is_token(name) else _UNUSUAL


_NAMES: Final = NameTable(_role)


class _StatusLine:
    """A status line that is plain."""

    __slots__ = ("line", "reason", "status")

    def __init__(self, line: bytes, status: int, reason: bytes) -> None:
        self.line: Final = line
        self.status: Final = status
        self.reason: Final = reason


class _PlainLine:
    """A field line that is plain."""

    __slots__ = ("known", "line", "role")

    def __init__(self, known: FieldLine, role: int) -> None:
        self.line: Final = known.line
        self.known: Final = known
        self.role: Final = role


def _read_status_line(line: bytes) -> _StatusLine | None:
    match = _STATUS_LINE.fullmatch(line)
    return _StatusLine(line, int(match[1]), match[2]) if match else None


def _read_field_line(line: bytes) -> _PlainLine | None:
    """Read a line without its end, and without control characters."""
    name, colon, rest = line.partition(b": ")
    value = rest.strip(b" ")
    role = _NAMES[name]
    if not colon or not value or value != rest or role == _UNUSUAL:
        return None
    return _PlainLine(FieldLine((name, value), line), role)


class PlainHead:
    """What a plain head says."""

    __slots__ = (
        "closes",
        "connection",
        "content_type",
        "keep_alive",
        "length",
        "lines",
        "reason",
        "size",
        "status",
    )

    def __init__(self, status: int, reason: bytes) -> None:
        self.status = status
        self.reason = reason
        self.lines: list[FieldLine] = []
        self.size = 0
        """How many bytes it takes, the empty line included."""
        self.length = -1
        """The value of Content-Length; negative where there is none."""
        self.closes = False
        """Whether it says that the connection does not persist."""
        self.connection = b""
        """The option that it names; empty where there is no such field, as with the next two."""
        self.keep_alive = b""
        self.content_type = b""
        """Of several lines, the last one's value."""

    def note(self, role: int, value: bytes) -> bool:
        """Take in what a field says about the connection; return whether that is plain."""
        if role == _TYPE:
            self.content_type = value
            return True
        if role == _LENGTH:
            once = self.length < 0
            self.length = _number(value)
            return once and self.length >= 0
        if role == _CONNECTION and not self.connection:
            option = value if value == b"keep-alive" else value.lower()
            self.connection = option
            self.closes = option == b"close"
            return self.closes or option == b"keep-alive"
        if role == _KEEP_ALIVE and not self.keep_alive:
            self.keep_alive = value
            return True
        return False


class PlainHeadReader:
    """Reads the plain heads of one connection.

    From one head to the next, an upstream repeats most lines in their places: a line that is
    the same there has been read already.
    """

    __slots__ = ("_field_lines", "_status_line")

    def __init__(self) -> None:
        self._status_line: _StatusLine | None = None
        self._field_lines: list[_PlainLine] = []

    def read(self, data: bytes, limit: int) -> PlainHead | None:
        """Return the head with which `data`, all that has been received, begins.

        None where llhttp has to decide: the head is not plain, or longer than `limit` bytes, or
        has not arrived whole.
        """
        # A line that ends before this has four bytes behind it to look at: its CRLF and two more.
        bound: i64 = min(len(data) - 3, limit)
        status_line = self._status_line
        if status_line is None or not _has_line(data, 0, status_line.line, bound):
            end = _end_of_line(data, 0, bound)
            status_line = _read_status_line(data[:end]) if end > 0 else None
            if status_line is None:
                return None
            self._status_line = status_line
        head = PlainHead(status_line.status, status_line.reason)
        lines, known = head.lines, self._field_lines
        start: i64 = len(status_line.line) + 2
        while data[start] != _CR:
            place = len(lines)
            said = known[place] if place < len(known) else None
            if said is None or not _has_line(data, start, said.line, bound):
                end = _end_of_line(data, start, bound)
                said = _read_field_line(data[start:end]) if end > start else None
                if said is None:
                    return None
                self._remember(place, said)
            if said.role != _OTHER and not head.note(said.role, said.known.field[1]):
                return None
            lines.append(said.known)
            start += len(said.line) + 2
        if data[start + 1] != _LF:
            return None
        head.size = start + 2
        return head

    def _remember(self, place: int, said: _PlainLine) -> None:
        known = self._field_lines
        if len(said.line) > _LONGEST_LINE or place >= _MOST_LINES:
            return
        if place < len(known):
            known[place] = said
        elif place == len(known):
            known.append(said)


def _has_line(data: bytes, start: "i64", line: bytes, bound: "i64") -> bool:
    """Whether that line stands there, and ends before `bound`."""
    end: i64 = start + len(line)
    return end < bound and data[start:end] == line and data[end] == _CR and data[end + 1] == _LF


# Counting loops over machine integers, because those, compiled, cost a few instructions for each
# byte, where a call of a method of `bytes` costs hundreds.


def _end_of_line(data: bytes, start: "i64", bound: "i64") -> "i64":
    """Return where, before `bound`, the line's CRLF is; negative if there is none, or a control
    character before it."""
    for at in range(start, bound):
        byte = data[at]
        if byte < _SPACE or byte == _DELETE:
            return at if byte == _CR and data[at + 1] == _LF else -1
    return -1


def _number(value: bytes) -> int:
    """Return what decimal digits say; negative for anything else and for too many."""
    number: i64 = 0
    digits = len(value)
    if digits > _MOST_DIGITS:
        return -1
    for at in range(digits):
        digit: i64 = value[at] - _ZERO
        if not 0 <= digit <= 9:
            return -1
        number = 10 * number + digit
    return number
