"""Giving memory back when a crowd of clients has gone.

What their connections took is free then, and glibc keeps it for later allocations: its
heap ends where its last block in use is. A proxy would stay as large as it was at its
worst moment, which counts against its memory limit.
"""

import asyncio
from collections.abc import Callable

# Fewer leave nothing behind that would be worth a pause.
_CROWD = 1000
# Gone is a crowd of which one in so many is left.
_LEFT = 10
_LOOK_S = 1.0


class CrowdWatch:
    """Looks now and then how many clients there are, and gives memory back when most of a
    crowd have gone: a pause of some milliseconds for those who are left."""

    def __init__(
        self, clients: Callable[[], int], give: Callable[[], object] | None = None
    ) -> None:
        """`clients` says how many are connected, or weigh as much. Must be called while the
        event loop runs."""
        self._clients = clients
        self._give = give or give_back
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._most = 0

    def start(self, every: float = _LOOK_S) -> None:
        """Look from now on."""
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
    """Return to the system what is free inside the heap; False where the C library has no
    such function, as glibc has (malloc_trim(3))."""
    # Few processes ever need it.
    import ctypes

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return False
    return True
