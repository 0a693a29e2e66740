"""How many descriptors there may be, and noticing that no more can be had.

Shells give 1,024 by custom, for programs that use select(2), and leave it to the others to
ask for more. Where there are none, the event loop silently drops new connections,
and every program that looks from outside sees a network that fails. Only the process itself
can say what it is.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import TimerHandle

if sys.platform != "win32":
    import resource

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
"""What the system says where this process, or all of them together, have too many open."""

# Far more than `limits.connections` needs by default; tables of the kernel's and of Python's
# grow with the highest descriptor.
_MOST = 65_536
# What is not for clients: listeners, logs, the admin listener's connections.
_KEPT = 48
_LOOK_S = 1.0
# How long after one report another is made.
_QUIET_S = 60.0


def raise_limit() -> None:
    """Let this process, and those that it starts, have as many as they may, up to a bound."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems have a limit of their own below the one that they tell.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised_limit(soft, hard), hard))


def affordable_clients() -> int | None:
    """Return how many clients there can be descriptors for; None if unknown.

    Each may need another one for its upstream, and a quarter more of them have to be told
    that there are too many.
    """
    most = descriptor_limit()
    return None if most is None else max(1, (most - _KEPT) * 4 // 9)


def raised_limit(soft: int, hard: int) -> int:
    """Return the soft limit to set; RLIM_INFINITY is no limit."""
    if soft == resource.RLIM_INFINITY:
        return soft
    return max(soft, _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST))


class DescriptorWatch:
    """Looks every second whether another descriptor can be had, and tells if not: once,
    and once a minute where it comes and goes."""

    def __init__(
        self, tell: Callable[[int | None], None], look: Callable[[int], bool] | None = None
    ) -> None:
        """`tell` takes how many descriptors the process may have, None if unknown.
        Must be called while the event loop runs."""
        self._tell = tell
        self._can_open = look or can_open
        import asyncio  # here, because `serve --help` needs none

        self._loop = asyncio.get_running_loop()
        self._timer: TimerHandle | None = None
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
            self._tell(descriptor_limit())
        self._timer = self._loop.call_later(every, self._look, descriptor, every)


def can_open(descriptor: int) -> bool:
    """Whether the process may open one more than it has, of which `descriptor` is one."""
    try:
        os.close(os.dup(descriptor))
    except OSError as error:
        return error.errno not in EXHAUSTED
    return True


def descriptor_limit() -> int | None:
    """Return how many descriptors the process may have; None if unknown."""
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit
