"""shell/streams/unread.py: what was received before a write failed."""

import asyncio
import socket
from typing import cast

import pytest

from corsproxy.shell.streams.unread import unread
from tests.peers import PeerConnection, RawPeer


class Reader(asyncio.BufferedProtocol):
    """Collects what it gets, and what is left when the connection is lost."""

    def __init__(self) -> None:
        self._buffer = bytearray(32)
        self.received = b""
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            for size in unread(self.transport, self):
                self.buffer_updated(size)
        self.lost.set_result(exc)


async def refuses(peer: PeerConnection) -> None:
    await peer.exactly(1)
    await peer.send(b"no, because it is too large")
    await peer.reset()


async def write_until_it_fails(reader: Reader) -> Exception | None:
    """Write without reading, so that the reset is met by a write."""
    async with asyncio.timeout(20):
        while not reader.lost.done():
            reader.transport.write(b"x" * 1000)
            await asyncio.wait([reader.lost], timeout=0.005)
    return reader.lost.result()


async def test_what_came_before_a_reset_is_read_after_it() -> None:
    async with RawPeer(refuses) as peer:
        loop = asyncio.get_running_loop()
        transport, reader = await loop.create_connection(Reader, "127.0.0.1", peer.port)
        transport.pause_reading()
        assert isinstance(await write_until_it_fails(reader), OSError)
        assert reader.received == b"no, because it is too large"


async def test_it_ends_with_what_is_there() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport, reader = await asyncio.get_running_loop().create_connection(Reader, sock=ours)
    transport.pause_reading()
    theirs.send(b"a" * 40)
    for left_open in (True, False):
        if not left_open:
            theirs.close()
        for size in unread(transport, reader):
            reader.buffer_updated(size)
        assert reader.received == b"a" * 40
    transport.abort()
    await reader.lost


@pytest.mark.parametrize("size", [16 * 32, 16 * 32 + 1])
async def test_it_has_a_bound(size: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport, reader = await asyncio.get_running_loop().create_connection(Reader, sock=ours)
    transport.pause_reading()
    theirs.send(b"a" * size)
    for received in unread(transport, reader):
        reader.buffer_updated(received)
    assert len(reader.received) == 16 * 32
    transport.abort()
    await reader.lost
    theirs.close()
