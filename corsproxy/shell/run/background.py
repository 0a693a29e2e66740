"""Run long computations while requests are answered, with little delay to the requests.

The interpreter runs one thread at a time. A computing thread gives way only every 5 ms, and
an exchange needs several turns. The garbage collector also stops every thread while it
walks everything read from a large file. So the switch interval is shortened and the
collector disabled during the computation; both are restored afterwards.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A shorter interval does not help the exchanges and slows the computation.
SWITCH_SECONDS = 0.0005


async def in_background(
    compute: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **named: Parameters.kwargs,
) -> Result:
    """Call `compute` in a thread and return its result. Only one may run at a time per process.

    Cyclic garbage is collected only afterwards, so the computation must be bounded. Raises
    what `compute` raises.
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
