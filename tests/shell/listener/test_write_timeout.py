"""A client that reads nothing is told from one that reads slowly."""

import asyncio
import socket

from corsproxy.shell.listener.write_timeout import WriteTimeout
from tests.peers import until


class Buffer(asyncio.WriteTransport):
    """A transport of which only the amount of unsent bytes matters."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self._sizes = list(sizes)

    def get_write_buffer_size(self) -> int:
        return self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]


class Lost(asyncio.Protocol):
    """Knows whether its connection is gone."""

    is_lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


def watch(calls: list[float]) -> WriteTimeout:
    loop = asyncio.get_running_loop()
    return WriteTimeout(loop, 0.02, lambda: calls.append(loop.time()))


async def test_no_progress_is_a_stall() -> None:
    calls: list[float] = []
    watch(calls).start(Buffer(100))
    await until(lambda: bool(calls))


async def test_any_progress_gives_more_time() -> None:
    calls: list[float] = []
    began = asyncio.get_running_loop().time()
    watch(calls).start(Buffer(100, 99, 98))
    await until(lambda: bool(calls))
    assert calls[0] - began >= 0.06


async def test_what_is_cleared_or_stopped_never_stalls() -> None:
    calls: list[float] = []
    cleared, stopped = watch(calls), watch(calls)
    for each in (cleared, stopped):
        each.start(Buffer(100))
    cleared.clear()
    stopped.stop()
    await asyncio.sleep(0.05)
    assert calls == []


async def test_what_leaves_the_kernel_is_progress() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
    theirs.setblocking(False)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    try:
        transport.write(bytes(8 * 1024 * 1024))
        left = transport.get_write_buffer_size()
        watching = WriteTimeout(loop, 60, lambda: None)
        watching.start(transport)
        # What it does when the time has come, at a moment that no load can shift.
        for _ in range(3):
            await loop.sock_recv(theirs, 128 * 1024)
            assert watching.has_progress()
        assert transport.get_write_buffer_size() == left
        assert not watching.has_progress()
        watching.stop()
    finally:
        transport.abort()
        theirs.close()


async def test_a_closed_transport_can_be_watched() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, protocol = await loop.create_connection(Lost, sock=ours)
    theirs.close()
    transport.abort()
    await until(lambda: protocol.is_lost)
    calls: list[float] = []
    watching = watch(calls)
    watching.start(transport)
    watching.stop()
