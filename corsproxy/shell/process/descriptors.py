"""Noticing that no file can be opened any more.

The event loop then drops whoever connects, without a word, and every program that looks
from outside sees a network that fails. Only the process itself can say what it is.
"""

import asyncio
import errno
import os
import sys
from collections.abc import Callable

if sys.platform != "win32":
    import resource

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
"""What the system says where this process, or all of them together, have too many open."""

_LOOK_S = 1.0
# How long after one report another is made.
_QUIET_S = 60.0


class DescriptorWatch:
    """Looks every second whether another descriptor can be had, and tells if not: once,
    and once a minute where it comes and goes."""

    def __init__(
        self, tell: Callable[[int | None], None], look: Callable[[int], bool] | None = None
    ) -> None:
        """`tell` takes how many descriptors the process may have, None where nobody knows.
        Must be called while the event loop runs."""
        self._tell = tell
        self._can_open = look or can_open
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._exhausted = False
        self._quiet_until = 0.0

    def start(self, descriptor: int, every: float = _LOOK_S) -> None:
        """Look from now on; `descriptor` is one that stays open until `stop`."""
        self.stop()
        self._timer = self._loop.call_later(every, self._look, descriptor, every)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, descriptor: int, every: float) -> None:
        before, self._exhausted = self._exhausted, not self._can_open(descriptor)
        if self._exhausted and not before and self._loop.time() >= self._quiet_until:
            self._quiet_until = self._loop.time() + _QUIET_S
            self._tell(_most())
        self._timer = self._loop.call_later(every, self._look, descriptor, every)


def can_open(descriptor: int) -> bool:
    """Whether the process may open one more than it has, of which `descriptor` is one."""
    try:
        os.close(os.dup(descriptor))
    except OSError as error:
        return error.errno not in EXHAUSTED
    return True


def _most() -> int | None:
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit
