"""shell/streams/tls.py: a connection that stops reading, and how one ends. Through HTTP it is
tested in tests/shell/listener/test_tls.py and tests/shell/upstream/test_connect.py."""

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, cast

import pytest
from trustme import CA

from corsproxy.shell.streams.tls import TlsConnection
from corsproxy.shell.upstream.handshake import ServerHandshake
from tests.certificates import Pair, contexts, write_pair
from tests.peers import threaded_peer, until

LARGE = b"0123456789" * 5_000


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return contexts(CA())


class Reader(asyncio.BufferedProtocol):
    """Takes a little at a time, and stops reading after each."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(20_000))
        self.received = b""
        self.has_ended = False
        self.writes_on = False
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.has_ended = True
        return self.writes_on

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def read_on(self) -> None:
        """Read until the connection is lost."""
        while not self.lost.done():
            if not (self.transport.is_reading() or self.transport.is_closing()):
                self.transport.resume_reading()
            await asyncio.sleep(0)


async def connect(port: int, context: ssl.SSLContext) -> Reader:
    loop = asyncio.get_running_loop()
    handshake = ServerHandshake(Reader())
    connection = TlsConnection(loop, context, handshake, "localhost")
    await loop.create_connection(lambda: connection, "127.0.0.1", port)
    return await handshake.done


def everything(sock: socket.socket) -> bytes:
    received = b""
    while piece := sock.recv(65536):
        received += piece
    return received


def says_all(sock: socket.socket) -> None:
    sock.sendall(LARGE)
    assert everything(sock) == b"bye"
    sock.sendall(b"bye, too")
    cast(ssl.SSLSocket, sock).unwrap().close()


async def test_the_end_that_is_said_first_takes_nothing_back(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = tls
    with threaded_peer(says_all, server) as port:
        reader = await connect(port, client)
        await until(lambda: bool(reader.received))
        reader.transport.write(b"bye")
        reader.transport.write_eof()
        reader.transport.write(b"nothing more")
        await reader.read_on()
    assert reader.received == LARGE + b"bye, too"
    assert reader.has_ended
    assert reader.lost.result() is None


async def test_the_end_that_is_heard_first_leaves_the_other_way_open(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = tls
    heard: list[bytes] = []

    def ends(sock: socket.socket) -> None:
        sock.setblocking(False)
        # It also looks for an answer, and may find the first of what the other end goes on to say.
        with suppress(ssl.SSLError):
            cast(ssl.SSLSocket, sock).unwrap()
        sock.setblocking(True)
        # TCP ends as well; from now on the socket speaks no TLS.
        sock.shutdown(socket.SHUT_WR)
        heard.append(everything(sock))

    with threaded_peer(ends, server) as port:
        reader = await connect(port, client)
        reader.writes_on = True
        await until(lambda: reader.has_ended)
        for _ in range(100):
            reader.transport.write(b"still here")
            await asyncio.sleep(0)
        reader.transport.close()
        assert await reader.lost is None
    assert heard[0].count(b"\x17\x03\x03") >= 100


async def test_what_came_before_a_reset_is_read_though_reading_has_stopped(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = tls
    left = threading.Event()

    def refuses(sock: socket.socket) -> None:
        sock.sendall(LARGE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        left.set()

    with threaded_peer(refuses, server) as port:
        reader = await connect(port, client)
        assert left.wait(10)
        reader.transport.pause_reading()
        # The first meets the reset, the second what asyncio makes of it.
        while not reader.lost.done():
            reader.transport.write(b"x")
            await asyncio.sleep(0)
    assert reader.received == LARGE
    assert isinstance(reader.lost.result(), OSError)


async def test_what_cannot_be_read_ends_the_connection(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = tls

    def spoils(sock: socket.socket) -> None:
        sock.sendall(b"good")
        raw = socket.socket(fileno=sock.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"bad!" * 8)
        with suppress(OSError):
            everything(raw)
        raw.close()

    with threaded_peer(spoils, server) as port:
        reader = await connect(port, client)
        await reader.read_on()
    assert reader.received == b"good"
    assert not reader.has_ended
    assert isinstance(reader.lost.result(), ssl.SSLError)


@contextmanager
def openssl_server(pair: Pair, heard: Path) -> Iterator[IO[bytes]]:
    """OpenSSL's own, with TLS 1.2, on a port that it writes to `heard`, as all that it hears;
    yields what takes its commands."""
    options = ["-tls1_2", "-accept", "0", "-cert", str(pair.cert_file), "-key", str(pair.key_file)]
    with (
        heard.open("wb") as out,
        Popen(["openssl", "s_server", *options], stdin=PIPE, stdout=out) as server,
    ):
        assert server.stdin is not None
        try:
            yield server.stdin
        finally:
            server.kill()


async def test_another_handshake_keeps_what_is_written_meanwhile(tmp_path: Path) -> None:
    """A server of TLS 1.2 may want one, as IIS does before it asks for a certificate."""
    pair, heard = write_pair(tmp_path, CA(), "localhost"), tmp_path / "heard"
    with openssl_server(pair, heard) as commands:
        await until(lambda: re.search(rb"ACCEPT .*:\d+\n", heard.read_bytes()) is not None)
        port = int(heard.read_bytes().rpartition(b":")[2])
        reader = await connect(port, ssl.create_default_context(cafile=str(pair.ca_file)))
        commands.write(b"r\n")
        commands.flush()
        for number in range(2000):
            reader.transport.write(b"<%d>\n" % number)
            await asyncio.sleep(0)
        await until(lambda: b"<1999>" in heard.read_bytes() or reader.lost.done())
        reader.transport.close()
        await reader.lost
    assert b"SSL_do_handshake -> 1" in heard.read_bytes()
    numbers = re.findall(rb"<(\d+)>", heard.read_bytes())
    assert numbers == [b"%d" % number for number in range(2000)]
