"""Several processes answer the requests; a `lifecycle.Workforce`.

Each worker has its share of the listening sockets; the kernel distributes the connections.
A worker that ends is replaced after a pause, which grows while this repeats. Meanwhile
another worker accepts its share of the connections, so only the requests it was answering
are lost. A worker that no longer answers its supervisor is killed.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import cast

from corsproxy.core.policy import Policy
from corsproxy.errors import StartError
from corsproxy.shell.admin.figures import Figures, WorkerState
from corsproxy.shell.feed.announcements import Announcer
from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.workers.channel import Facts, Order, WorkerSetup, text_of
from corsproxy.shell.workers.slot import Slot

# The figures are collected this often, so that most are kept when a worker ends.
_LOOK_S = 5.0
# Seconds that a drain may take beyond its delay and its grace period.
_MARGIN_S = 5.0


class Supervisor:
    """Starts the workers, tells them what to do, and replaces those that end."""

    def __init__(
        self,
        policy: Policy,
        setup: WorkerSetup,
        shares: Sequence[Sequence[socket.socket]],
        announcer: Announcer,
        sink: Sink,
    ) -> None:
        """Must be called while the event loop runs.

        `shares` are the listening sockets, one share for each worker, in the same order as in
        `setup`. The workers' log lines go to `sink`.
        """
        self._policy = policy
        self._setup = setup
        self._sockets = [each for share in shares for each in share]
        self._announcer = announcer
        self._sink = sink
        self._slots = [Slot(number) for number in range(len(shares))]
        self._keeping: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None
        self._dealing = asyncio.Lock()
        self._draining = False
        self._is_lame_duck = False
        self._delay = 0.0

    @property
    def is_listening(self) -> bool:
        return any(slot.up for slot in self._slots)

    async def start(self) -> None:
        begun = await asyncio.gather(*map(self._begin, self._slots), return_exceptions=True)
        for failure in begun:
            if failure is not None:
                raise failure
        await self._deal()
        self._keeping = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        self._looking = asyncio.create_task(self._look())

    async def adopt(self, policy: Policy, content: bytes) -> None:
        self._policy = policy
        self._setup["content"] = text_of(content)
        # Includes workers that are still starting: they started with the old content.
        processes = [slot.process for slot in self._slots if slot.process is not None]
        facts: Facts = {"content": self._setup["content"]}
        asked = [each.questions.ask(Order.ADOPT, facts) for each in processes]
        # A worker that ends meanwhile is replaced by one that starts with this content.
        await asyncio.gather(*asked, return_exceptions=True)

    def watch(self, observer: Observer) -> None:
        """Do nothing: the exchanges are in other processes."""

    async def figures(self) -> Figures:
        await asyncio.gather(*(slot.count() for slot in self._slots))
        total = Figures()
        for slot in self._slots:
            total.add(slot.past)
            total.add(slot.figures)
        return total

    def workers(self) -> Sequence[WorkerState]:
        return [WorkerState(slot.up, slot.restarts, slot.figures.in_flight) for slot in self._slots]

    async def become_lame_duck(self) -> int:
        self._is_lame_duck = True
        return _in_flight(await self._ask_all(Order.END_CONNECTIONS))

    async def begin_drain(self, delay: float) -> int:
        self._draining = True
        self._delay = delay
        for slot, keeping in zip(self._slots, self._keeping, strict=True):
            if not slot.up:
                keeping.cancel()
                slot.kill()
        # A socket is closed with its last reference.
        for each in self._sockets:
            each.close()
        return _in_flight(await self._ask_all(Order.DRAIN, {"delay": delay}))

    async def finish_drain(self) -> None:
        patience = self._delay + self._policy.shutdown_grace + _MARGIN_S
        await asyncio.wait(self._keeping, timeout=patience)

    def abandon(self) -> None:
        for task in (*self._keeping, self._looking):
            if task is not None:
                task.cancel()
        for slot in self._slots:
            slot.kill()

    async def _begin(self, slot: Slot) -> None:
        await slot.begin(self._sockets, self._sink, cast(Facts, self._setup))
        if self._is_lame_duck:
            await slot.ask(Order.END_CONNECTIONS)

    async def _ask_all(self, order: Order, facts: Facts | None = None) -> list[Facts | None]:
        return await asyncio.gather(*(slot.ask(order, facts) for slot in self._slots))

    async def _keep(self, slot: Slot) -> None:
        """Replace the slot's process whenever it ends."""
        while not self._draining:
            pid = slot.pid
            how = await slot.ended()
            while not (self._draining or slot.up):
                how = await self._replace(slot, pid, how)

    async def _replace(self, slot: Slot, pid: int, how: str) -> str:
        """Start another process after a pause; if it ends at once, return how."""
        pause = slot.pause()
        self._announcer.worker_ended(slot.number, pid, how, pause)
        await self._deal()
        await asyncio.sleep(pause)
        slot.restarts += 1
        try:
            await self._begin(slot)
        except StartError as error:
            return str(error)
        await self._deal()
        self._announcer.worker_started(slot.number, slot.pid)
        return ""

    async def _deal(self) -> None:
        """Assign each share to its own worker, or to another one if that is not up."""
        async with self._dealing:
            up = [slot for slot in self._slots if slot.up]
            wanted = {slot: {slot.number} for slot in up}
            for slot in self._slots:
                if up and not slot.up:
                    wanted[min(up, key=lambda each: len(wanted[each]))].add(slot.number)
            # No worker gives up a share before another one has taken it.
            await asyncio.gather(*(slot.accept(slot.shares | wanted[slot]) for slot in up))
            await asyncio.gather(*(slot.accept(frozenset(wanted[slot])) for slot in up))

    async def _look(self) -> None:
        """Collect the figures, and kill the workers that hang."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.gather(*(slot.count() for slot in self._slots))
            for slot in self._slots:
                if slot.is_hanging:
                    self._announcer.worker_hangs(slot.number, slot.pid)
                    slot.kill()
            await self._deal()


def _in_flight(answers: Sequence[Facts | None]) -> int:
    return sum(cast(int, answer["in_flight"]) for answer in answers if answer)
