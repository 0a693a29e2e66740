"""A worker's place under its supervisor, held by one process after another."""

import asyncio
import socket
from collections.abc import Sequence
from typing import cast

from corsproxy.errors import StartError
from corsproxy.shell.admin.figures import Figures, FiguresJson
from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.workers.backoff import Backoff
from corsproxy.shell.workers.channel import Facts, Order
from corsproxy.shell.workers.worker_process import WorkerProcess

_ANSWER_S = 1.0
HANGING_S = 30.0
"""A worker that has not answered for this long is hung."""


class Slot:
    """The state of the worker with this number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: WorkerProcess | None = None
        self.up = False
        """Whether it has said that it can answer requests."""
        self.shares: frozenset[int] = frozenset()
        """The shares of the sockets from which it accepts connections."""
        self.restarts = 0
        self.figures = Figures()
        """The figures of the process when it was last asked."""
        self.past = Figures()
        """The figures of earlier processes."""
        self._backoff = Backoff()
        self._loop = asyncio.get_running_loop()
        self._began = 0.0

    @property
    def pid(self) -> int:
        """The process id, or 0."""
        return 0 if self.process is None else self.process.pid

    @property
    def is_hanging(self) -> bool:
        """Whether the last answer is over HANGING_S seconds old, though `count` asks regularly."""
        if self.process is None or not self.up:
            return False
        return self._loop.time() - self.process.questions.heard_at > HANGING_S

    async def begin(self, sockets: Sequence[socket.socket], sink: Sink, setup: Facts) -> None:
        """Start a process. Raises StartError if it ends, or is not ready in HANGING_S seconds."""
        self._began = self._loop.time()
        process = self.process = await WorkerProcess.start(sockets, sink)
        try:
            await asyncio.wait_for(process.questions.ask(Order.BEGIN, setup), HANGING_S)
        except ConnectionError:
            how = await self.ended()
        except TimeoutError:
            process.kill()
            how = f"it was not ready within {HANGING_S:g} s; {await self.ended()}"
        else:
            self.up = True
            return
        raise StartError(f"worker {self.number} did not start: {how}")

    async def ended(self) -> str:
        """Wait for the process to end, and keep its counters; return how it ended."""
        if self.process is None:
            return "it was not there"
        how = await self.process.ended()
        self.process = None
        self.up = False
        self.shares = frozenset()
        self.figures.end()
        self.past.add(self.figures)
        self.figures = Figures()
        return how

    def pause(self) -> float:
        """Return the seconds to wait before the next process."""
        return self._backoff.after(self._loop.time() - self._began)

    async def ask(self, order: Order, facts: Facts | None = None) -> Facts | None:
        """Return the answer; None if no process is up, or none comes in _ANSWER_S seconds."""
        if self.process is None or not self.up:
            return None
        try:
            return await asyncio.wait_for(self.process.questions.ask(order, facts), _ANSWER_S)
        except (ConnectionError, TimeoutError):
            return None

    async def accept(self, shares: frozenset[int]) -> None:
        """Make it accept connections from exactly these shares."""
        if shares != self.shares:
            answer = await self.ask(Order.ACCEPT, {"shares": sorted(shares)})
            if answer is not None:
                self.shares = shares

    async def count(self) -> None:
        """Ask for the figures; keep the old ones if there is no answer."""
        answer = await self.ask(Order.COUNT)
        if answer is not None:
            self.figures = Figures.from_json(cast(FiguresJson, answer))

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self.process is not None:
            self.process.kill()
