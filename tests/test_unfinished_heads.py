"""Unfinished heads: their total cost in memory, and that it is returned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes import get
from tests.peers import RawPeer, answers, until
from tests.running import OK, Running, running

# What deploy/ gives a container, less what several hundred kernel buffers take elsewhere.
MOST_MIB = 128
CLIENTS = 800
HEAD = get()[:-2] + b"".join(b"X-%d: %b\r\n" % (number, b"a" * 980) for number in range(63))


def memory_mib(pid: int) -> int:
    """What a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@asynccontextmanager
async def crowd(proxy: Running) -> AsyncIterator[None]:
    """Many clients, each with a head that is as long as may be and has no end."""
    writers = []
    try:
        for _ in range(CLIENTS):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writers.append(writer)
            writer.write(HEAD)
            await writer.drain()
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


async def test_unfinished_heads_stay_within_the_manifests_limit(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        pid = proxy.command.process.pid
        idle = memory_mib(pid)
        async with crowd(proxy):
            # Who finishes a head that was begun in time is served all the same.
            assert (await proxy.ask(get())).status == 200
            # The proxy looks once a second how large a crowd it has.
            loop = asyncio.get_running_loop()
            seen = loop.time() + 1.5
            await until(lambda: loop.time() > seen)
            most = memory_mib(pid)
            assert most < MOST_MIB
        assert most > idle + 10
        await until(lambda: memory_mib(pid) < idle + 12)
