"""shell/streams/gathered.py, over real sockets, and the same of shell/streams/tls.py."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from trustme import CA

from corsproxy.shell.streams.gathered import AT_ONCE, gathered
from tests.certificates import contexts
from tests.peers import threaded_peer, until
from tests.shell.streams.test_tls import Reader, connect

pytestmark = pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])

Heard = list[bytes]


@asynccontextmanager
async def hearing(secure: bool) -> AsyncIterator[tuple[asyncio.Transport, Heard]]:
    """A connection, and what its peer has heard."""
    heard: Heard = []

    def hear(sock: socket.socket) -> None:
        # Behind an abort there is no close_notify.
        with suppress(ssl.SSLEOFError):
            while piece := sock.recv(65536):
                heard.append(piece)

    server, client = contexts(CA()) if secure else (None, None)
    with threaded_peer(hear, server) as port:
        if client is not None:
            reader = await connect(port, client)
            transport = reader.transport
        else:
            loop = asyncio.get_running_loop()
            raw, reader = await loop.create_connection(Reader, "127.0.0.1", port)
            transport = gathered(raw, loop)
        try:
            yield transport, heard
        finally:
            transport.abort()
            await reader.lost


async def test_small_writes_of_a_turn_leave_together_at_its_end(secure: bool) -> None:
    async with hearing(secure) as (transport, heard):
        transport.write(b"one, ")
        transport.write(b"two")
        assert transport.get_write_buffer_size() >= len(b"one, two")
        await asyncio.sleep(0)
        assert transport.get_write_buffer_size() == 0
        transport.write(b", three")
        await until(lambda: b"".join(heard) == b"one, two, three")


async def test_much_leaves_at_once_behind_what_has_waited(secure: bool) -> None:
    async with hearing(secure) as (transport, heard):
        transport.write(b"first")
        transport.write(b"." * AT_ONCE)
        assert transport.get_write_buffer_size() == 0
        for _ in range(AT_ONCE // 1024):
            transport.write(b"," * 1024)
        assert transport.get_write_buffer_size() < 1024
        await until(lambda: b"".join(heard) == b"first" + b"." * AT_ONCE + b"," * AT_ONCE)


@pytest.mark.parametrize("end", ["close", "abort", "write_eof"])
async def test_what_has_waited_leaves_before_the_end(secure: bool, end: str) -> None:
    async with hearing(secure) as (transport, heard):
        transport.write(b"last words")
        finish: Callable[[], None] = getattr(transport, end)
        finish()
        transport.write(b", and nothing more")
        await until(lambda: b"".join(heard) == b"last words")
