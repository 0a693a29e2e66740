"""A file descriptor that several threads write whole lines to.

A reader that stalls holds up the writers; one that has gone costs nothing more. Neither
raises.
"""

import errno
import os
import select
import threading

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Sink:
    """Writes pieces that nothing comes between; None as descriptor discards them."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = -1 if descriptor is None else descriptor
        self._lock = threading.Lock()
        self.gone = descriptor is None
        """Whether nobody reads, and nobody will."""

    def put(self, data: bytes) -> None:
        """Write all of `data`, and wait while its reader does not read."""
        with self._lock:
            self._put(data)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self.gone:
            try:
                written = os.write(self._descriptor, view)
            except BlockingIOError:
                # Somebody who shares the descriptor made it non-blocking.
                select.select([], [self._descriptor], [], 1.0)
                continue
            except BrokenPipeError:
                self.gone = True
                return
            except OSError as error:
                # A full disk may be emptied; a terminal that hung up never comes back.
                self.gone = error.errno not in _PASSING
                return
            view = view[written:]
