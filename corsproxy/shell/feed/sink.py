"""A file descriptor to which several threads write whole lines.

A stalled reader blocks the writers; one that has gone costs nothing more. Neither raises. A
full disk loses lines, which are counted, but never cuts one: a partly written line is removed
again, or finished as soon as there is room.
"""

import errno
import os
import select
import threading
from collections.abc import Callable

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Sink:
    """Writes pieces without interleaving; None as descriptor discards them."""

    def __init__(
        self,
        descriptor: int | None,
        lost_line: Callable[[int], str] = "{} lines were lost\n".format,
    ) -> None:
        """`lost_line` formats the number of lost lines; it is written after the first line that
        succeeds again."""
        self._lost_line = lost_line
        self._reported = 0
        self._descriptor = -1 if descriptor is None else descriptor
        self._lock = threading.Lock()
        self._rest = b""
        """The rest of a partly written line."""
        self.lost = 0
        """How many lines a full disk has lost."""
        self.gone = descriptor is None
        """Whether the reader is gone for good."""

    def put(self, data: bytes) -> None:
        """Write all of `data`, which is whole lines, and wait while its reader does not read."""
        with self._lock:
            self.lost += self._put(data)
            lost = self.lost
            if lost > self._reported and not self._rest and not self.gone:
                report = self._lost_line(lost - self._reported).encode()
                # This line itself is not counted as lost.
                if not self._put(report):
                    self._reported = lost

    def _put(self, data: bytes) -> int:
        """Return how many lines are lost."""
        whole = self._rest + data
        written = self._write(whole)
        if written == len(whole) or self.gone:
            self._rest = b""
            return 0
        return self._cut(whole, written)

    def _write(self, data: bytes) -> int:
        """Return how many bytes were written."""
        written = 0
        while written < len(data) and not self.gone:
            try:
                written += os.write(self._descriptor, memoryview(data)[written:])
            except BlockingIOError:
                # Another process that shares the descriptor made it non-blocking.
                select.select([], [self._descriptor], [], 1.0)
            except BrokenPipeError:
                self.gone = True
            except OSError as error:
                # A full disk may be emptied; a terminal that hung up never comes back.
                self.gone = error.errno not in _PASSING
                break
        return written

    def _cut(self, data: bytes, written: int) -> int:
        """After a partial write, leave only whole lines; return how many are lost."""
        begun = written - (data.rfind(b"\n", 0, written) + 1)
        # A line that an earlier call has begun can only be finished.
        is_ours = written >= len(self._rest)
        if is_ours and (not begun or self._take_back(begun)):
            self._rest = b""
            return data.count(b"\n", written)
        end = data.find(b"\n", written) + 1
        self._rest = data[written:end]
        return data.count(b"\n", end)

    def _take_back(self, size: int) -> bool:
        """Remove the last bytes from a file, unless something was written after them."""
        try:
            end = os.fstat(self._descriptor).st_size
            if os.lseek(self._descriptor, 0, os.SEEK_CUR) != end or size > end:
                return False
            os.ftruncate(self._descriptor, end - size)
            os.lseek(self._descriptor, end - size, os.SEEK_SET)
        except OSError:
            return False
        return True
