"""A worker process: answers requests under the orders of its supervisor.

It gets its sockets and its policy from the supervisor. When the supervisor goes away, it
drains and ends, as it does when asked to.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from corsproxy.core.policy import Policy
from corsproxy.shell.feed.announcements import Announcer, FaultLog, dropped_lines
from corsproxy.shell.feed.outlet import Outlet
from corsproxy.shell.run.background import in_background
from corsproxy.shell.run.engine import Engine, freeze_startup_objects
from corsproxy.shell.workers.channel import Answers, Facts, Order, WorkerSetup, bytes_of

_STDOUT = 1


class Worker:
    """Carries out the supervisor's orders."""

    def __init__(
        self,
        engine: Engine,
        shares: Sequence[Sequence[int]],
        read: Callable[[bytes], Policy],
        lost_lines: Callable[[], int],
    ) -> None:
        """`shares` are descriptors of listening sockets; the worker takes ownership. `read`
        compiles a file's content to a policy, and is called in a thread. `lost_lines` returns how
        many log lines this process has lost."""
        self._lost_lines = lost_lines
        self._engine = engine
        self._read = read
        self._shares = [[socket.socket(fileno=number) for number in share] for share in shares]
        self._accepting: dict[int, list[socket.socket]] = {}
        self._draining: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def until_drained(self, answers: Answers) -> None:
        """Obey the supervisor until the last exchange is over."""
        obeying = asyncio.create_task(self._obey(answers))
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait([obeying, over], return_when=asyncio.FIRST_COMPLETED)
        if obeying.done():
            obeying.result()

    async def _obey(self, answers: Answers) -> None:
        while (asked := await answers.question()) is not None:
            answers.say(await self._do(*asked))
        self._begin_drain(self._engine.policy.drain_delay)
        await self._over.wait()

    async def _do(self, order: Order, facts: Facts) -> Facts:
        match order:
            case Order.ACCEPT:
                await self._accept(cast(list[int], facts["shares"]))
            case Order.ADOPT:
                content = bytes_of(cast(str, facts["content"]))
                self._engine.adopt(await in_background(self._read, content))
            case Order.COUNT:
                figures = self._engine.figures()
                figures.lost_lines = self._lost_lines()
                return cast(Facts, figures.as_json())
            case Order.END_CONNECTIONS:
                self._engine.become_lame_duck()
                return {"in_flight": self._engine.in_flight}
            case Order.DRAIN:
                self._begin_drain(cast(float, facts["delay"]))
                return {"in_flight": self._engine.in_flight}
            case Order.BEGIN:
                raise ValueError("a worker begins once")
        return {}

    async def _accept(self, numbers: Sequence[int]) -> None:
        """Accept connections from exactly the shares with these numbers."""
        if self._draining is not None:
            return
        for number in set(self._accepting) - set(numbers):
            del self._accepting[number]
        for number in numbers:
            if number not in self._accepting:
                # Duplicates, because the engine closes its sockets and the share may come back.
                self._accepting[number] = [each.dup() for each in self._shares[number]]
        await self._engine.listen([each for share in self._accepting.values() for each in share])

    def _begin_drain(self, delay: float) -> None:
        if self._draining is not None:
            return
        self._engine.begin_drain()
        # A socket is closed with its last reference.
        for share in self._shares:
            for each in share:
                each.close()
        self._draining = asyncio.create_task(self._finish_drain(delay))

    async def _finish_drain(self, delay: float) -> None:
        await self._engine.finish_drain(delay)
        self._over.set()


async def work(end: socket.socket, policy_of: Callable[[WorkerSetup, bytes], Policy]) -> None:
    """Be a worker of the supervisor at the other end of `end`, until it orders a drain.

    `policy_of` compiles a file's content to a policy. Raises StartError.
    """
    answers = await Answers.connect(end)
    asked = await answers.question()
    if asked is None:
        return
    setup = cast(WorkerSetup, asked[1])
    form, color = setup["form"], setup["color"]
    outlet = Outlet(_STDOUT, dropped_line=dropped_lines(form))
    try:
        logging.getLogger().addHandler(FaultLog(Announcer(outlet.write, form, color=color)))
        policy = policy_of(setup, bytes_of(setup["content"]))
        engine = Engine(policy, outlet.write, form, color=color, https=setup["https"])
        read = partial(policy_of, setup)
        worker = Worker(engine, setup["shares"], read, lambda: outlet.lost)
        freeze_startup_objects()
        answers.say({})
        await worker.until_drained(answers)
    finally:
        outlet.close()
