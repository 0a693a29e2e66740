"""Return memory to the system after a crowd of clients has left.

The memory of closed connections is free, but glibc keeps it for later allocations, because
the heap can only shrink down to its last used block. Without this, a proxy would stay as
large as at its peak, which counts against its memory limit.
"""

import asyncio
from collections.abc import Callable

# A smaller crowd does not leave enough behind to be worth a pause.
_CROWD = 1000
# A crowd has left when one in this many clients remains.
_LEFT = 10
_LOOK_S = 1.0


class CrowdWatch:
    """Checks the number of clients now and then, and returns memory once most of a crowd has
    left. This pauses the remaining clients for some milliseconds."""

    def __init__(
        self, clients: Callable[[], int], give: Callable[[], object] | None = None
    ) -> None:
        """`clients` returns how many clients are connected, or an equivalent weight. Must be
        called while the event loop runs."""
        self._clients = clients
        self._give = give or give_back
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._most = 0

    def start(self, every: float = _LOOK_S) -> None:
        """Start checking."""
        self.stop()
        self._timer = self._loop.call_later(every, self._look, every)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, every: float) -> None:
        clients = self._clients()
        self._most = max(self._most, clients)
        if self._most >= _CROWD and clients <= self._most // _LEFT:
            self._most = clients
            self._give()
        self._timer = self._loop.call_later(every, self._look, every)


def give_back() -> bool:
    """Return free heap memory to the system; False if the C library has no malloc_trim(3),
    which is specific to glibc."""
    # Imported here because few processes ever need it.
    import ctypes

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return False
    return True
