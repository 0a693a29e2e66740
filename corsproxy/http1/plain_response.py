"""Plain response heads, read in one pass.

Most heads are plain, and llhttp, which calls back for each field, takes three times as long.
A plain head is well-formed for llhttp too, and means the same. Every other head, well-formed or
not, is left to llhttp.

A plain head is that of a final HTTP/1.1 response and has arrived whole. It has only plain lines
(see `plain_lines`); no transfer coding; at most one Content-Length, below 10^18 (RFC 9110, 8.6);
at most one Connection, which says `keep-alive` or `close` and nothing else (RFC 9112, 9.3).
"""

import re
from typing import TYPE_CHECKING, Final

from corsproxy.core.messages import Boxed
from corsproxy.http1.plain_lines import (
    CR,
    LF,
    OTHER,
    UNUSUAL,
    PlainLines,
    end_of_line,
    has_line,
    number,
    roles_of,
)

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

# What a field of the response means to the connection.
_LENGTH: Final = 1
_CONNECTION: Final = 2
_KEEP_ALIVE: Final = 3
_TYPE: Final = 4

_ROLES: Final = roles_of(
    {
        b"connection": _CONNECTION,
        b"content-length": _LENGTH,
        b"content-type": _TYPE,
        b"keep-alive": _KEEP_ALIVE,
        # What llhttp interprets itself, what may bind the connection, and what is rare.
        b"persistent-auth": UNUSUAL,
        b"proxy-connection": UNUSUAL,
        b"trailer": UNUSUAL,
        b"transfer-encoding": UNUSUAL,
        b"upgrade": UNUSUAL,
        b"www-authenticate": UNUSUAL,
    }
)

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ((?:[!-~\x80-\xff][ -~\x80-\xff]*)?)")


class _StatusLine:
    """A status line that is plain."""

    __slots__ = ("line", "reason", "status")

    def __init__(self, line: bytes, status: int, reason: bytes) -> None:
        self.line: Final = line
        self.status: Final = status
        self.reason: Final = reason


def _read_status_line(line: bytes) -> _StatusLine | None:
    match = _STATUS_LINE.fullmatch(line)
    return _StatusLine(line, int(match[1]), match[2]) if match else None


class PlainHead:
    """What a plain head says."""

    __slots__ = (
        "closes", "connection", "content_type", "fields", "keep_alive", "length", "reason", "size",
        "status",
    )  # fmt: skip

    def __init__(self, status: int, reason: bytes) -> None:
        self.status = status
        self.reason = reason
        self.fields: list[Boxed] = []
        self.size = 0
        """Its length in bytes, the empty line included."""
        self.length = -1
        """The value of Content-Length; negative if there is none."""
        self.closes = False
        """Whether it says that the connection does not persist."""
        self.connection = b""
        """The value of Connection; empty if there is no such field, as with the next two."""
        self.keep_alive = b""
        self.content_type = b""
        """The last value if there are several."""

    def note(self, role: int, value: bytes) -> bool:
        """Note what a field says about the connection; return whether that is plain."""
        if role == _TYPE:
            self.content_type = value
            return True
        if role == _LENGTH:
            once = self.length < 0
            self.length = number(value)
            # llhttp's reader removes leading zeros.
            return once and self.length >= 0 and (value[:1] != b"0" or len(value) == 1)
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
    """Reads the plain heads of one connection."""

    __slots__ = ("_lines", "_status_line")

    def __init__(self) -> None:
        self._status_line: _StatusLine | None = None
        self._lines = PlainLines(_ROLES)

    def read(self, data: bytes, limit: int) -> PlainHead | None:
        """Return the head at the beginning of `data`, which is all that has been received.

        None if llhttp has to decide: the head is not plain, is longer than `limit` bytes, or has
        not arrived whole.
        """
        # Behind a line that ends before this there are at least four bytes: CRLF and two more.
        bound: i64 = min(len(data) - 3, limit)
        status_line = self._status_line
        if status_line is None or not has_line(data, 0, status_line.line, bound):
            end = end_of_line(data, 0, bound)
            status_line = _read_status_line(data[:end]) if end > 0 else None
            if status_line is None:
                return None
            self._status_line = status_line
        head = PlainHead(status_line.status, status_line.reason)
        fields = head.fields
        start: i64 = len(status_line.line) + 2
        while data[start] != CR:
            said = self._lines.read(len(fields), data, start, bound)
            if said is None:
                return None
            if said.role != OTHER and not head.note(said.role, said.field[1]):
                return None
            fields.append(said.field)
            start += len(said.line) + 2
        if data[start + 1] != LF:
            return None
        head.size = start + 2
        return head
