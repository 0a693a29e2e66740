"""The event loop of this process."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Result = TypeVar("Result")


def run(main: Callable[[], Coroutine[object, object, Result]]) -> Result:
    """Run what `main` returns on the best event loop available."""
    from asyncio import Runner

    # The runner is not closed: that would wait for the loop's threads, see `ending.leave`.
    return Runner(loop_factory=_loop_factory()).run(main())


def _loop_factory() -> Callable[[], "AbstractEventLoop"] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
