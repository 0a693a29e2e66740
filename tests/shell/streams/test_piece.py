"""shell/streams/piece.py: what is lent goes out at once, or is copied."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

from corsproxy.shell.streams.piece import (
    LEAST_PIECE,
    PIECE_SIZE,
    READ_SIZE,
    SHARED,
    ReadBuffer,
    descriptor,
    room,
    write,
)

MUCH = Random(1).randbytes(64 * PIECE_SIZE)


@asynccontextmanager
async def wire() -> AsyncIterator[tuple[asyncio.Transport, asyncio.StreamReader]]:
    """A transport, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    try:
        yield transport, reader
    finally:
        transport.abort()
        writer.close()


async def test_what_the_kernel_takes_is_gone_at_once() -> None:
    async with wire() as (transport, peer):
        lent = bytearray(b"content")
        write(transport, descriptor(transport), memoryview(lent))
        assert not transport.get_write_buffer_size()
        lent[:] = b"another"
        write(transport, descriptor(transport), memoryview(lent))
        assert await peer.readexactly(14) == b"contentanother"


async def test_what_the_kernel_does_not_take_outlives_what_was_lent() -> None:
    async with wire() as (transport, peer):
        lent = bytearray(MUCH)
        write(transport, descriptor(transport), memoryview(lent))
        left = transport.get_write_buffer_size()
        lent[:] = bytes(len(lent))
        # Not in front of what is left, although there would be room by then.
        assert await peer.readexactly(len(MUCH) - left) == MUCH[:-left]
        write(transport, descriptor(transport), memoryview(b"the end"))
        assert await peer.readexactly(left) == MUCH[-left:]
        assert await peer.readexactly(7) == b"the end"


async def test_bytes_to_keep_are_the_transports_affair() -> None:
    async with wire() as (transport, peer):
        write(transport, -1, b"one")
        write(transport, descriptor(transport), b"two")
        assert await peer.readexactly(6) == b"onetwo"


async def test_a_transport_that_is_closing_is_written_nothing_past() -> None:
    async with wire() as (transport, peer):
        past = descriptor(transport)
        transport.abort()
        write(transport, past, memoryview(b"content"))
        assert await peer.read() == b""


async def test_a_connection_that_is_gone_is_found_out_by_its_transport() -> None:
    lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(exc)

    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(Protocol, sock=ours)
    transport.pause_reading()
    theirs.close()
    write(transport, descriptor(transport), memoryview(b"content"))
    assert isinstance(await lost, OSError)


class Encrypted:
    """All that is asked of a transport about TLS."""

    def get_extra_info(self, name: str) -> object:
        return {"sslcontext": object(), "socket": socket.socket}[name]


def test_nothing_goes_past_tls() -> None:
    assert descriptor(cast(asyncio.Transport, Encrypted())) < 0


async def test_a_peer_that_keeps_up_has_room_for_more_than_a_piece() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    past = descriptor(transport)
    empty = room(transport, past, PIECE_SIZE)
    while not transport.get_write_buffer_size():
        write(transport, past, memoryview(MUCH))
    full = room(transport, past, PIECE_SIZE)
    transport.abort()
    theirs.close()
    assert (full, empty > full) == (PIECE_SIZE, sys.platform == "linux")
    assert empty <= READ_SIZE


async def test_whoever_sends_little_is_asked_for_no_more() -> None:
    async with wire() as (transport, _):
        assert room(transport, descriptor(transport), PIECE_SIZE - 1) == PIECE_SIZE


async def test_where_room_cannot_be_known_there_is_room_for_a_piece() -> None:
    async with wire() as (transport, _):
        unknown = room(transport, -1, READ_SIZE)
        transport.abort()
        assert (unknown, room(transport, 0, READ_SIZE)) == (PIECE_SIZE, PIECE_SIZE)


def test_many_connections_read_no_more_at_once_than_few() -> None:
    buffer = ReadBuffer()
    sizes = []
    for count in range(1, 6000):
        buffer.join()
        sizes.append(len(buffer.space()))
        assert sizes[-1] * count <= SHARED or sizes[-1] == LEAST_PIECE
    assert sizes[0] == sizes[SHARED // PIECE_SIZE - 1] == PIECE_SIZE
    assert len(buffer.space(READ_SIZE)) == sizes[-1] == LEAST_PIECE
    for _ in sizes:
        buffer.leave()
    assert len(buffer.space()) == PIECE_SIZE
    assert len(buffer.space(READ_SIZE)) == READ_SIZE
