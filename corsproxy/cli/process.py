"""The event loop of this process, and how the process ends."""

import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Result = TypeVar("Result")


def run(main: Callable[[], Coroutine[object, object, Result]]) -> Result:
    """Run what `main` returns on the best event loop available."""
    from asyncio import Runner

    # The runner is not closed: that would wait for the loop's threads, see `leave`.
    return Runner(loop_factory=_loop_factory()).run(main())


def leave(code: int) -> NoReturn:
    """End the process at once.

    The interpreter would wait for its threads, and one that resolves a name or reads from
    a network drive can hang for longer than the grace period that has just ended.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _loop_factory() -> Callable[[], "AbstractEventLoop"] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
