"""What has arrived of a request's head that has not ended.

It is kept once, as it came: its end may lie across two reads, and where the head has to be
refused, even that answer carries the grant for the Origin in it. What no head can begin with is
noticed before the head ends, so that nobody waits for the end of a TLS handshake.
"""

import re
from typing import Final

from corsproxy.core.policy import Limits
from corsproxy.http1.head_parser import MalformedHeadError

HEAD_END: Final = b"\r\n\r\n"

# The request line's method and version, and the ends of lines.
_MARGIN: Final = 1024
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Lines that are whole, and the beginning of one; grammar in the rough, for the parser has the
# last word.
_REQUEST_LINE: Final = re.compile(_TOKEN + rb"+ [^\r\n\0]*\r\n")
_REQUEST_LINE_BEGUN: Final = re.compile(_TOKEN + rb"{1,32}(?: [^\r\n\0]*\r?)?")
_FIELD_LINES: Final = re.compile(rb"(?:" + _TOKEN + rb"+:[^\r\n\0]*\r\n)*")
_FIELD_LINE_BEGUN: Final = re.compile(rb"\r?|" + _TOKEN + rb"+(?::[^\r\n\0]*\r?)?")


class HeadBudget:
    """What all unfinished heads of a process may take together, in bytes."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most


class HeadsFullError(Exception):
    """All unfinished heads together take what they may; this is the newest."""


class UnfinishedHead:
    """The bytes between the end of one request and the end of the next one's head."""

    __slots__ = ("_budget", "_in_fields", "_limit", "_line", "_received")

    def __init__(self, limits: Limits, budget: HeadBudget) -> None:
        self._limit = limits.target + limits.field_section + _MARGIN
        self._budget = budget
        self._received: bytearray | None = None
        self._line = 0  # where the line begins that has not ended
        self._in_fields = False  # whether it is behind the request line

    @property
    def has_begun(self) -> bool:
        """Whether anything is there."""
        return self._received is not None

    def end_in(self, data: bytes, at: int) -> int:
        """Return where in `data`, which goes on with the head from there, the head ends; 0 where
        it goes on beyond."""
        received = self._received
        if received is not None:
            seam = bytes(received[-3:])
            found = (seam + data[at : at + 3]).find(HEAD_END)
            if found >= 0:
                return at + found + len(HEAD_END) - len(seam)
        found = data.find(HEAD_END, at)
        return found + len(HEAD_END) if found >= 0 else 0

    def add(self, data: bytes) -> None:
        """Keep what goes on with the head, and has not its end.

        Raises MalformedHeadError where no head that will be accepted can begin like this, and
        HeadsFullError; what came is kept in both cases, within bounds.
        """
        self.keep(data)
        received = self._received
        if received is None or len(received) > self._limit or not self._may_begin(received):
            raise MalformedHeadError

    def keep(self, data: bytes) -> None:
        """Keep what goes on with the head, whatever it is. Raises HeadsFullError."""
        if self._received is None:
            self._received = bytearray()
        kept = data[: self._budget.left]
        self._received += kept
        self._budget.left -= len(kept)
        if len(kept) < len(data):
            raise HeadsFullError

    def _may_begin(self, received: bytearray) -> bool:
        """Whether the lines that are new may stand in a head; each is looked at once."""
        if not self._in_fields:
            match = _REQUEST_LINE.match(received)
            if match is None:
                return _REQUEST_LINE_BEGUN.fullmatch(received) is not None
            self._in_fields = True
            self._line = match.end()
        match = _FIELD_LINES.match(received, self._line)
        if match is not None:
            self._line = match.end()
        return _FIELD_LINE_BEGUN.fullmatch(received, self._line) is not None

    def finish(self, rest: bytes) -> bytes:
        """Return the whole head, of which `rest` is the rest, and forget it."""
        return self.take() + rest

    def take(self) -> bytes:
        """Return what has been kept, and forget it."""
        received, self._received = self._received, None
        if received is None:
            return b""
        self._budget.left += len(received)
        self._line = 0
        self._in_fields = False
        return bytes(received)
