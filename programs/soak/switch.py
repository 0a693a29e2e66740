"""A small TCP switch in front of several proxies, like a Service in front of its pods.

A connection goes to one of the proxies that are ready, and stays there.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.fakes import CutShortError, get
from tests.peers import DEADLINE_SECONDS
from tests.running import Running, ask

_PIECE = 64 * 1024
_LOOK_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)


class Switch:
    """Passes bytes, ends and resets from one side to the other."""

    def __init__(self) -> None:
        self.proxies: list[Running] = []
        self._ready: list[Running] = []
        self._turn = 0
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.look()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        looking = asyncio.create_task(self._look_again())
        try:
            yield
        finally:
            self._over.set()
            self._server.close()
            await asyncio.wait({looking, *self._tasks}, timeout=DEADLINE_SECONDS)
            looking.result()

    async def look(self) -> None:
        """Ask every proxy whether it is ready."""
        ready = [proxy for proxy in list(self.proxies) if await is_ready(proxy)]
        self._ready = [proxy for proxy in ready if proxy in self.proxies]

    async def _look_again(self) -> None:
        while not self._over.is_set():
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._turn += 1
        proxy = self._ready[self._turn % len(self._ready)]
        try:
            there = await asyncio.open_connection("127.0.0.1", proxy.port)
        except ConnectionError:
            _reset(writer)
        else:
            await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))
            for each in (writer, there[1]):
                each.close()
        finally:
            self._tasks.discard(task)


async def is_ready(proxy: Running) -> bool:
    """Whether the probe passes. A process that ends may cut the connection of its last probe."""
    try:
        return (await ask(proxy.admin_port, get("/readyz", origin=None))).status == 200
    except (OSError, CutShortError):
        return False


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:  # a reset, which at the end of the content has no class of its own
        _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
