"""This process answers all requests; a `lifecycle.Workforce`."""

import socket
from collections.abc import Sequence

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.figures import Figures, WorkerState
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.run.engine import Engine, freeze_startup_objects


class SingleProcess:
    """An engine in the process that also watches the file and answers the probes."""

    def __init__(self, engine: Engine, sockets: Sequence[socket.socket]) -> None:
        self._engine = engine
        self._sockets = sockets
        self._delay = 0.0

    is_listening = True

    async def start(self) -> None:
        await self._engine.listen(self._sockets)
        freeze_startup_objects()

    async def adopt(self, policy: Policy, content: bytes) -> None:
        self._engine.adopt(policy)

    def watch(self, observer: Observer) -> None:
        """Have `observer` see every exchange from now on."""
        self._engine.watch(observer)

    async def figures(self) -> Figures:
        return self._engine.figures()

    def workers(self) -> Sequence[WorkerState]:
        return ()

    async def become_lame_duck(self) -> int:
        self._engine.become_lame_duck()
        return self._engine.in_flight

    async def begin_drain(self, delay: float) -> int:
        self._delay = delay
        self._engine.begin_drain()
        return self._engine.in_flight

    async def finish_drain(self) -> None:
        await self._engine.finish_drain(self._delay)

    def abandon(self) -> None:
        """Do nothing: everything ends with the process."""
