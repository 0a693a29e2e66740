"""A deadline that is cheap to move.

A connection's deadline moves with every request and every read, and is almost never reached.
So moving it only stores a number: the timer fires at the old deadline, sees the new one, and
is set again.
"""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expired` once the deadline has passed."""

    __slots__ = ("_due", "_expired", "_loop", "_timer", "_wakes")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = 0.0

    @property
    def is_set(self) -> bool:
        """Whether a deadline is set."""
        return self._due is not None

    def set(self, seconds: float | None) -> None:
        """Expire `seconds` from now; None is never."""
        if seconds is None:
            self._due = None
        else:
            self.set_at(self._loop.time() + seconds)

    def set_at(self, due: float) -> None:
        """Expire at `due`, by the loop's time."""
        self._due = due
        if self._timer is None:
            self._sleep_until(due)
        elif due < self._wakes:
            self._timer.cancel()
            self._sleep_until(due)

    def clear(self) -> None:
        """Do not expire until `set` is called again."""
        self._due = None

    def stop(self) -> None:
        """Never expire, and cancel the timer."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sleep_until(self, due: float) -> None:
        self._wakes = due
        self._timer = self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._sleep_until(self._due)
            return
        self._due = None
        self._expired()
