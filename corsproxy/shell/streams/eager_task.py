"""A task whose steps run at once.

asyncio runs a coroutine on in the loop's next turn after what it has waited for is there,
and every turn asks the kernel about every descriptor. An exchange waits for a request,
then for an answer, and each arrives in a callback that has nothing else to do: here the
coroutine runs on inside of that callback.

So whoever calls `Wakeup.set` must be done with its own state, because much may happen
before the call returns. What needs asyncio's current task, such as `asyncio.timeout`, goes
into a task of its own, which a `EagerTask` can await as anything else of asyncio's.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final

_Awaited = Any  # what a coroutine yields is its own affair: asyncio's futures, None, a Wakeup


class EagerTask:
    """Runs a coroutine; asyncio's futures resume it in the loop's next turn, a `Wakeup`
    at once."""

    __slots__ = ("_awaited", "_coroutine", "_loop", "_must_cancel")

    def __init__(
        self, coroutine: Coroutine[_Awaited, None, None], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Nothing happens before the first `step`."""
        # None once it has ended, because it holds whatever holds this task.
        self._coroutine: Coroutine[_Awaited, None, None] | None = coroutine
        self._loop = loop
        self._awaited: _Awaited = None
        self._must_cancel = False

    @property
    def is_done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._coroutine is None

    def step(self, failure: BaseException | None = None) -> None:
        """Run on until the coroutine waits again or ends; with `failure`, raise it there."""
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
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: as asyncio does
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
        """Raise CancelledError in the coroutine, in the loop's next turn; once it is done,
        do nothing."""
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
    """What one coroutine at a time awaits: that somebody calls `give`, from then on."""

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
        """Let whoever waits run on; where nobody does, nothing happens."""
        waiter = self._waiter
        if waiter is None:
            return
        if isinstance(waiter, EagerTask):
            waiter.step()
        elif not waiter.done():
            waiter.set_result(None)

    def forsake(self) -> None:
        """Nobody waits any more."""
        self._waiter = None
