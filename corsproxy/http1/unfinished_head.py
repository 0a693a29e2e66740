"""What has arrived of a request's head that has not ended.

Kept because the end may lie across two reads, and in case the head has to be refused, since
even such an answer must carry the grant for the Origin in it; and measured, because the parser
bounds each line but not their sum.
"""

from typing import Final

from corsproxy.core.policy import Limits

HEAD_END: Final = b"\r\n\r\n"

# The request line's method and version, and the ends of lines.
_MARGIN: Final = 1024


class UnfinishedHead:
    """The bytes between the end of one request and the end of the next one's head."""

    __slots__ = ("_limit", "_received")

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.target + limits.field_section + _MARGIN
        self._received: bytearray | None = None

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
        """Keep what goes on with the head."""
        if self._received is None:
            self._received = bytearray(data)
        else:
            self._received += data

    @property
    def is_too_large(self) -> bool:
        """Whether no head that will be accepted can begin like this."""
        return self._received is not None and len(self._received) > self._limit

    def take(self) -> bytes:
        """Return what has been kept, and forget it."""
        received, self._received = self._received, None
        return b"" if received is None else bytes(received)
