"""A task that continues inside the callback it waited for.

asyncio resumes a coroutine in the event loop's next iteration after its future is done, and every
iteration polls all descriptors. An exchange waits for a request and then for a response, and each
arrives in a callback that has nothing else to do: here the coroutine runs inside that callback.

So a caller of `Wakeup.set` must have finished with its own state, because much may happen before
the call returns. What needs asyncio's current task, such as `asyncio.timeout`, must run in an
asyncio task, which an `EagerTask` can await like any other awaitable.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final

_Awaited = Any  # what a coroutine yields is its own affair: asyncio's futures, None, a Wakeup


class EagerTask:
    """Runs a coroutine. asyncio's futures resume it in the loop's next iteration, a `Wakeup`
    at once."""

    __slots__ = ("_awaited", "_coroutine", "_loop", "_must_cancel")

    def __init__(
        self, coroutine: Coroutine[_Awaited, None, None], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Nothing happens before the first `step`."""
        # None once it has ended, to break a reference cycle.
        self._coroutine: Coroutine[_Awaited, None, None] | None = coroutine
        self._loop = loop
        self._awaited: _Awaited = None
        self._must_cancel = False

    @property
    def is_done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._coroutine is None

    def step(self, failure: BaseException | None = None) -> None:
        """Run until the coroutine waits again or ends; with `failure`, raise it there."""
        coroutine = self._coroutine
        if coroutine is None:
            return
        if self._must_cancel:
            self._must_cancel = False
            failure = failure or asyncio.CancelledError()
        self._awaited = None
        outer, _NOW.running = _NOW.running, self
        try:
            awaited = coroutine.send(None) if failure is None else coroutine.throw(failure)
        except (StopIteration, asyncio.CancelledError):
            self._coroutine = None
            return
        except Exception as error:  # noqa: BLE001 - nothing awaits this task: do as asyncio does
            self._coroutine = None
            self._loop.call_exception_handler({"message": "a task has failed", "exception": error})
            return
        finally:
            _NOW.running = outer
        self._awaited = awaited
        if awaited is None:
            self._loop.call_soon(self._wake, None)
        elif not isinstance(awaited, Wakeup):
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._wake)
        if self._must_cancel:
            self._must_cancel = False
            self.cancel()

    def cancel(self) -> None:
        """Raise CancelledError in the coroutine, in the loop's next iteration, unless it is
        done."""
        awaited = self._awaited
        if self._coroutine is None:
            return
        if isinstance(awaited, Wakeup):
            awaited.forsake()
            self._awaited = None
            self._loop.call_soon(self.step, asyncio.CancelledError())
        elif awaited is None or not awaited.cancel():
            self._must_cancel = True

    def _wake(self, _: object) -> None:
        self.step()


class _Now:
    __slots__ = ("running",)

    def __init__(self) -> None:
        self.running: EagerTask | None = None


_NOW: Final = _Now()


class Wakeup:
    """An event that one coroutine at a time can await."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: EagerTask | asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, None, None]:
        try:
            if _NOW.running is None:
                self._waiter = asyncio.get_running_loop().create_future()
                yield from self._waiter
            else:
                self._waiter = _NOW.running
                yield self
        finally:
            self._waiter = None

    def set(self) -> None:
        """Resume the waiting coroutine, if there is one."""
        waiter = self._waiter
        if waiter is None:
            return
        if isinstance(waiter, EagerTask):
            waiter.step()
        elif not waiter.done():
            waiter.set_result(None)

    def forsake(self) -> None:
        """The coroutine has stopped waiting."""
        self._waiter = None
