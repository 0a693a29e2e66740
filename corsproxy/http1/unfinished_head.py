"""The beginning of a request head whose end has not arrived.

It is kept as received: the end may be split between two reads, and if the head has to be
refused, that answer carries the grant for the Origin in it. Bytes that cannot begin a head, such
as a TLS handshake, are refused without waiting for an end.
"""

import re
from typing import Final

from corsproxy.core.policy import Limits
from corsproxy.http1.head_parser import MalformedHeadError

HEAD_END: Final = b"\r\n\r\n"

# The request line's method and version, and the ends of lines.
_MARGIN: Final = 1024
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Whole lines, and the beginning of one. The grammar is coarse; the parser has the last word.
_FIELDS: Final = rb"(?:" + _TOKEN + rb"+:[^\r\n\0]*\r\n)*"
_FIELD_LINES: Final = re.compile(_FIELDS)
_FIRST_LINES: Final = re.compile(_TOKEN + rb"+ [^\r\n\0]*\r\n" + _FIELDS)
_REQUEST_LINE_BEGUN: Final = re.compile(_TOKEN + rb"{1,32}(?: ([^\r\n\0]*)\r?)?")
_FIELD_LINE_BEGUN: Final = re.compile(rb"\r?|" + _TOKEN + rb"+(?::([^\r\n\0]*)\r?)?")
# The continuation of a line whose method or name is complete.
_LINE_GOES_ON: Final = re.compile(rb"([^\r\n\0]*)\r?")


class HeadBudget:
    """How many bytes all unfinished heads of a process may take together."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most


class HeadsFullError(Exception):
    """There is no room for another unfinished head."""


class UnfinishedHead:
    """The bytes between the end of one request and the end of the next one's head."""

    __slots__ = ("_budget", "_in_fields", "_limit", "_line", "_received", "_seen")

    def __init__(self, limits: Limits, budget: HeadBudget) -> None:
        self._limit = limits.target + limits.field_section + _MARGIN
        self._budget = budget
        self._received: bytearray | None = None
        self._line = 0  # where the line begins that has not ended
        self._seen = 0  # how far it is known to be good, behind its method or name; else 0
        self._in_fields = False  # whether it is behind the request line

    @property
    def has_begun(self) -> bool:
        """Whether anything has arrived."""
        return self._received is not None

    def end_in(self, data: bytes, at: int) -> int:
        """Return where the head ends in `data`, which continues it from `at` on; 0 if it does not
        end there."""
        received = self._received
        if received is not None:
            seam = bytes(received[-3:])
            found = (seam + data[at : at + 3]).find(HEAD_END)
            if found >= 0:
                return at + found + len(HEAD_END) - len(seam)
        found = data.find(HEAD_END, at)
        return found + len(HEAD_END) if found >= 0 else 0

    def add(self, data: bytes) -> None:
        """Keep the continuation of a head that has not ended.

        Raises MalformedHeadError if no acceptable head begins like this, and HeadsFullError;
        what arrived is kept in both cases, within bounds.
        """
        self.keep(data)
        received = self._received
        if received is None or len(received) > self._limit or not self._may_begin(received):
            raise MalformedHeadError

    def keep(self, data: bytes) -> None:
        """Keep the continuation of a head, whatever it is. Raises HeadsFullError."""
        if self._received is None:
            self._received = bytearray()
        kept = data[: self._budget.left]
        self._received += kept
        self._budget.left -= len(kept)
        if len(kept) < len(data):
            raise HeadsFullError

    def _may_begin(self, received: bytearray) -> bool:
        """Whether the new bytes may be in a head. Except in methods and names, no byte is looked at
        more than twice, however small the pieces are."""
        end = received.rfind(b"\n", self._seen or self._line) + 1
        if end:
            lines = _FIELD_LINES if self._in_fields else _FIRST_LINES
            if lines.fullmatch(received, self._line, end) is None:
                return False
            self._in_fields = True
            self._line, self._seen = end, 0
        if self._seen:
            begun = _LINE_GOES_ON.fullmatch(received, self._seen)
        else:
            line = _FIELD_LINE_BEGUN if self._in_fields else _REQUEST_LINE_BEGUN
            begun = line.fullmatch(received, self._line)
        if begun is None:
            return False
        self._seen = max(begun.end(1), 0)
        return True

    def finish(self, rest: bytes) -> bytes:
        """Return the whole head, which `rest` completes, and forget it."""
        return self.take() + rest

    def take(self) -> bytes:
        """Return what was kept, and forget it."""
        received, self._received = self._received, None
        if received is None:
            return b""
        self._budget.left += len(received)
        self._line = self._seen = 0
        self._in_fields = False
        return bytes(received)
