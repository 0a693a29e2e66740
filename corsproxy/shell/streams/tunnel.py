"""Two byte streams joined into a tunnel, as after a 101."""

import asyncio
from collections.abc import Sequence

from corsproxy.errors import CorsproxyError
from corsproxy.shell.streams.eager_task import EagerTask, Wakeup
from corsproxy.shell.streams.seams import ByteStream


class Flow:
    """One direction, and how far it has come."""

    def __init__(self, source: ByteStream, sink: ByteStream) -> None:
        self._source = source
        self._sink = sink
        self.carried = 0

    async def carry(self) -> None:
        """Carry bytes to the end of the source, and pass the end on."""
        while data := await self._source.read():
            await self._sink.write(data)
            self.carried += len(data)
        self._sink.write_eof()


class ByteTunnel:
    """Carries bytes both ways, as they are, until both directions have ended."""

    def __init__(self, client: ByteStream, upstream: ByteStream) -> None:
        self._ends = (client, upstream)
        self._flows: Sequence[Flow] = (Flow(client, upstream), Flow(upstream, client))
        self._flowing = 0
        self._failure: Exception | None = None
        self._ebb = Wakeup()
        """That one of them has ended, properly or not."""

    async def run(self) -> tuple[int, int]:
        """Return how many bytes went to the upstream, and to the client.

        The end of one direction is passed on while the other goes on; a connection that
        is dropped takes the other with it. There is no bound on silence: that is the
        endpoints' affair. Cancelling it drops both.
        """
        loop = asyncio.get_running_loop()
        tasks = [EagerTask(self._carry(flow), loop) for flow in self._flows]
        self._flowing = len(tasks)
        try:
            for task in tasks:
                task.step()
            while self._flowing and self._failure is None:
                await self._ebb
            if self._failure is not None:
                raise self._failure
        except BaseException as failure:
            for end in self._ends:
                end.abort()
            for task in tasks:
                task.cancel()
            if not isinstance(failure, (CorsproxyError, OSError)):
                raise
        finally:
            # Its traceback holds whatever holds this tunnel.
            self._failure = None
        to_upstream, to_client = (flow.carried for flow in self._flows)
        return to_upstream, to_client

    async def _carry(self, flow: Flow) -> None:
        try:
            await flow.carry()
        except Exception as failure:  # noqa: BLE001 - it is raised where both are awaited
            self._failure = self._failure or failure
        self._flowing -= 1
        self._ebb.set()

    @property
    def is_parting(self) -> bool:
        """Whether it is about to end by itself, because `part` was called."""
        return False

    def part(self) -> bool:
        """Ask both ends to end it, in the words of its protocol; returns whether there are
        any. To be called once."""
        return False
