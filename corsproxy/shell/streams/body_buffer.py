"""Bytes that have arrived and that nobody has taken yet, within a bound.

The receiving half of a flow: the connection puts in what it reads, the other side takes
it out. The connection is held still while more than `HIGH_WATER` bytes wait, and while the
reader is busy with what it took, so a slow reader costs a bounded amount of memory and the
sender feels it as TCP backpressure.

`put`, `end` and `fail` only note what has happened. `wake` lets the reader run on, at once:
it comes last in whatever the connection does. What was put in may be lent until then.
"""

from typing import Protocol

from corsproxy.shell.streams.eager_task import Wakeup
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece

HIGH_WATER = 16 * 1024
# What a piece costs besides its bytes, so that many small ones count for what they take.
_PIECE_OVERHEAD = 64


class Tap(Protocol):
    """What lets bytes in: the reading side of a connection."""

    def pause_reading(self) -> None:
        """Stop reading. May be called while already held."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...


class BodyBuffer:
    """An ordered run of bytes with a proper end or a failure after it."""

    __slots__ = (
        "_has_lent",
        "_holds",
        "_is_busy",
        "_pieces",
        "_size",
        "_tap",
        "changed",
        "failure",
        "has_ended",
        "most",
    )

    def __init__(self, tap: Tap | None) -> None:
        self._tap = tap
        self._pieces: list[Piece] = []
        self._size = 0
        self._has_lent = False  # whether something was put in that is still lent
        self._holds = False
        self._is_busy = False  # whether the reader has not come back for more
        self.has_ended = False
        """Whether all of it has arrived, and that was proper."""
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
        """Return what has arrived and not been taken, without waiting; it is nobody's else."""
        if not self._pieces:
            return b""
        # One that is bytes already is not copied.
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._release()
        return data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next bytes, or b"" at the proper end; waits while there are none. They
        are lent: good until the reader awaits anything. From now on the connection reads up
        to `most` at once.

        Raises what `fail` was given, once the bytes before the failure are taken.
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
        """Add bytes that have arrived; the reader learns of them with `wake`."""
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
        """Let the reader run on, if one is waiting. Hold the tap if it leaves too much, or is
        busy with what it took."""
        self.changed.set()
        if self._has_lent:
            # It is read over next. Looked at once, or many small pieces would cost the square.
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
