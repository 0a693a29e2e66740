"""How many file descriptors there may be, and noticing when they run out.

Shells set a soft limit of 1,024 for programs that use select(2), and other programs are
expected to raise it. When descriptors run out, the event loop silently drops new
connections, and from outside it looks like a network failure. Only the process itself can
tell.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from corsproxy.errors import StartError

if TYPE_CHECKING:
    from asyncio import TimerHandle

if sys.platform != "win32":
    import resource

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
"""The errors for too many open files in this process or in the whole system."""

# Far more than `limits.connections` needs by default; tables in the kernel and in Python
# grow with the highest descriptor.
_MOST = 65_536
# Descriptors not used for clients: listeners, logs, connections to the admin listener.
_KEPT = 48
# For the event loop, the files that the start reads, and one exchange.
_LEAST = 20
# A worker's channel, its log, and what starting it takes.
_FOR_WORKER = 6
_LOOK_S = 1.0
# Minimum seconds between reports.
_QUIET_S = 60.0


def raise_limit() -> None:
    """Raise the limit of this process and its children as far as allowed, up to a bound."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems have a limit below the one they report.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised_limit(soft, hard), hard))


def require_descriptors(listeners: int, workers: int = 1) -> None:
    """Raise StartError if there are too few for that many listening sockets in each of so many
    processes. The event loop does not report that: it aborts the process.
    """
    needed = _LEAST + listeners * workers + _FOR_WORKER * (workers - 1)
    free = _free_descriptors(needed)
    limit = descriptor_limit()
    if free < needed and limit is not None:
        raise StartError(
            f"only {limit} files may be open at once, and at least {limit - free + needed} are "
            "needed: raise the limit, for example with `ulimit -n 1024`"
        )


def _free_descriptors(most: int) -> int:
    """Return how many more the process can open, up to `most`."""
    opened = list[int]()
    with suppress(OSError):
        while len(opened) < most:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    for each in opened:
        os.close(each)
    return len(opened)


def affordable_clients() -> int | None:
    """Return for how many clients there are descriptors; None if unknown.

    Each may need another one for its upstream, and a quarter more clients must still be told
    that there are too many.
    """
    most = descriptor_limit()
    return None if most is None else max(1, (most - _KEPT) * 4 // 9)


def raised_limit(soft: int, hard: int) -> int:
    """Return the soft limit to set. RLIM_INFINITY means no limit."""
    if soft == resource.RLIM_INFINITY:
        return soft
    return max(soft, _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST))


class DescriptorWatch:
    """Checks every second whether another descriptor can be opened, and reports if not: once,
    and at most once a minute if the shortage comes and goes."""

    def __init__(
        self, tell: Callable[[int | None], None], look: Callable[[int], bool] | None = None
    ) -> None:
        """`tell` gets the number of descriptors the process may have, None if unknown.
        Must be called while the event loop runs."""
        self._tell = tell
        self._can_open = look or can_open
        import asyncio  # here, because `serve --help` does not need it

        self._loop = asyncio.get_running_loop()
        self._timer: TimerHandle | None = None
        self._exhausted = False
        self._quiet_until = 0.0

    def start(self, descriptor: int, every: float = _LOOK_S) -> None:
        """Start checking; `descriptor` must stay open until `stop`."""
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
    """Whether the process can open another descriptor; `descriptor` is one that is open."""
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
