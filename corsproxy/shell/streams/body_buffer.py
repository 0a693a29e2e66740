"""A bounded buffer between a connection and the reader of its content.

The connection puts in what it reads, the other side takes it out. Reading is paused while more
than `HIGH_WATER` bytes wait, and while the reader is busy with what it took, so a slow reader
costs a bounded amount of memory and the sender feels TCP backpressure.

`put`, `end` and `fail` only note what has happened. `wake` lets the reader continue at once, so a
connection calls it last. Until then, what was put in may be lent.
"""

from typing import Final, Protocol

from corsproxy.shell.streams.eager_task import Wakeup
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece

HIGH_WATER = 16 * 1024
# The overhead of a piece, so that many small ones are not counted for less than they take.
_PIECE_OVERHEAD = 64


class Tap(Protocol):
    """The reading side of a connection."""

    def pause_reading(self) -> None:
        """Stop reading. May be called when already paused."""
        ...

    def resume_reading(self) -> None:
        """Resume reading."""
        ...


class BodyBuffer:
    """A sequence of bytes that ends properly or with a failure."""

    __slots__ = (
        "_has_lent", "_holds", "_is_busy", "_pieces", "_size", "_tap", "changed", "failure",
        "has_ended", "most", "received",
    )  # fmt: skip

    def __init__(self, tap: Tap | None) -> None:
        self._tap = tap
        self._pieces: list[Piece] = []
        self._size = 0
        self._has_lent = False  # whether something was put in that is still lent
        self._holds = False
        self._is_busy = False  # whether the reader has not come back for more
        self.has_ended = False
        """Whether all of it has arrived, with a proper end."""
        self.received = 0
        """How many bytes were put in."""
        self.failure: BaseException | None = None
        """What it has failed with."""
        self.changed = Wakeup()
        """Set by `wake`; one reader at a time awaits it."""
        self.most = PIECE_SIZE
        """How many bytes the connection may read at once."""

    @property
    def at_end(self) -> bool:
        """Whether every byte has been taken and the end was proper."""
        return self.has_ended and not self._pieces

    def take(self) -> bytes:
        """Return what has arrived and not been taken, without waiting. It is not lent."""
        if not self._pieces:
            return b""
        # A single piece of bytes is not copied.
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._release()
        return data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next bytes, or b"" at the proper end; wait while there are none. They are
        lent: valid until the reader awaits anything. From now on the connection reads up to
        `most` bytes at once.

        Raises the exception given to `fail`, once the bytes before it are taken.
        """
        self.most = most
        while not self._pieces:
            if self.failure is not None:
                raise self.failure
            if self.has_ended:
                return b""
            self._is_busy = False
            self._release()
            await self.changed
        self._is_busy = True
        if len(self._pieces) > 1:
            return self.take()
        self._size = 0
        return self._pieces.pop()

    def put(self, data: Piece) -> None:
        """Add bytes that have arrived; the reader learns of them with `wake`. After a failure
        they are dropped."""
        if self.failure is not None:
            return
        self.received += len(data)
        self._pieces.append(data)
        self._has_lent = self._has_lent or isinstance(data, memoryview)
        self._size += len(data) + _PIECE_OVERHEAD

    def gather(self, count: int) -> None:
        """Make one of the last `count` pieces: many small ones take more than they hold."""
        if len(self._pieces) >= count:
            self._pieces[-count:] = [b"".join(self._pieces[-count:])]

    def end(self) -> None:
        """Nothing more will arrive, and that is proper."""
        self.has_ended = True
        self._tap = None

    def fail(self, failure: BaseException) -> None:
        """Nothing more will arrive, because of `failure`."""
        if not self.has_ended and self.failure is None:
            self.failure = failure
        self._tap = None

    def wake(self) -> None:
        """Let the reader continue, if one is waiting. Pause reading if it leaves too much, or is
        busy with what it took."""
        self.changed.set()
        if self._has_lent:
            # The lent buffer is about to be reused. Pieces are copied once, or many small ones
            # would cost quadratic time.
            self._has_lent = False
            self._pieces = [bytes(piece) for piece in self._pieces]
        if (self._is_busy or self._size > HIGH_WATER) and self._tap is not None:
            self._holds = True
            self._tap.pause_reading()

    def _release(self) -> None:
        if self._holds:
            self._holds = False
            if self._tap is not None:
                self._tap.resume_reading()


NO_CONTENT: Final = BodyBuffer(None)
"""Content that is at its end."""
NO_CONTENT.end()
