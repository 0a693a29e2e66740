"""Long computations while requests are answered, which they hardly delay.

The interpreter runs one thread at a time. A thread that computes gives way only every
5 ms, and an exchange needs its turn several times; and the garbage collector stops every
thread for as long as it goes through all that a large file has been read into. Both are
changed for the time of the computation, and are changed back behind it.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Shorter turns than this delay no exchange less, and cost the computation more.
SWITCH_SECONDS = 0.0005


async def in_background(
    compute: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **named: Parameters.kwargs,
) -> Result:
    """Return what `compute` returns, called in a thread; one at a time in a process.

    Its cyclic garbage is collected afterwards, so it must be bounded. Raises what
    `compute` raises.
    """

    def give_way() -> Result:
        interval, collects = sys.getswitchinterval(), gc.isenabled()
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.disable()
        try:
            return compute(*arguments, **named)
        finally:
            if collects:
                gc.enable()
            sys.setswitchinterval(interval)

    return await asyncio.to_thread(give_way)
