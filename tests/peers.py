"""A TCP or Unix peer whose every byte is scripted by a test.

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

    async with RawPeer(script) as upstream: ...

The script runs once per accepted connection; a connection is closed when its script returns.
Received bytes are recorded. A failing script fails the test.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

Script = Callable[["PeerConnection"], Awaitable[None]]

DEADLINE_SECONDS = 30.0


class PeerConnection:
    """One accepted connection, from the script's side."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        """0 for the first connection that was accepted, 1 for the next."""
        self.reader = reader
        self.writer = writer
        self.heads: list[bytes] = []

    async def head(self) -> bytes:
        """Read a message head, its empty line included."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head

    async def exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        return await self.reader.readexactly(size)

    async def until(self, separator: bytes) -> bytes:
        """Read up to and including `separator`."""
        return await self.reader.readuntil(separator)

    async def send(self, data: bytes) -> None:
        """Send, and wait while the other side does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def closed(self) -> bytes:
        """Wait until the other side has closed or reset; returns what it sent before."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def finish(self) -> None:
        """Close the sending side properly (FIN), and go on receiving."""
        with suppress(OSError):  # after a reset, which the next to read is told of
            self.writer.write_eof()

    async def reset(self) -> None:
        """End the connection with RST, once what was sent has left."""
        await self.writer.drain()
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class RawPeer:
    """A listener that runs a script for each connection. Use it with `async with`."""

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`path` makes it a Unix socket, `tls` a TLS server."""
        self._script = script
        self._host = host
        self._port = port
        self._path = path
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self.connections: list[PeerConnection] = []

    @property
    def heads(self) -> list[bytes]:
        """Every request head received, in the order of the connections."""
        return [head for connection in self.connections for head in connection.heads]

    @property
    def port(self) -> int:
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._accept, self._path)
        else:
            self._server = await asyncio.start_server(
                self._accept, self._host, self._port, ssl=self._tls, limit=2**20
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DEADLINE_SECONDS)
        await self._server.wait_closed()
        if failure is None and self._failures:
            raise self._failures[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = PeerConnection(len(self.connections), reader, writer)
        self.connections.append(connection)
        task = asyncio.ensure_future(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, connection: PeerConnection) -> None:
        try:
            await self._script(connection)
            connection.writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            # The other side has left, which is what many a test is about.
            connection.writer.transport.abort()
        except asyncio.CancelledError:
            connection.writer.transport.abort()
            raise
        except Exception as failure:  # noqa: BLE001 - raised again when the test ends
            self._failures.append(failure)
            connection.writer.transport.abort()


def answers(*responses: bytes) -> Script:
    """A script that answers each request without content with the next of `responses`,
    the last one for ever, on connections that it keeps open."""

    async def script(connection: PeerConnection) -> None:
        count = 0
        while True:
            await connection.head()
            await connection.send(responses[min(count, len(responses) - 1)])
            count += 1

    return script


def sends_and_closes(response: bytes) -> Script:
    """A script that answers one request and closes properly."""

    async def script(connection: PeerConnection) -> None:
        await connection.head()
        await connection.send(response)

    return script


@contextmanager
def threaded_peer(
    script: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A peer that takes one connection in a thread of its own; yields its port.

    It acts while the event loop stands still, and its TLS says why it refuses, which
    asyncio's does not.
    """

    def serve() -> None:
        sock, _ = listener.accept()
        # What a script sends leaves at once, so that a reset behind it does not take it back.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if tls is not None:
                sock = tls.wrap_socket(sock, server_side=True)
            script(sock)
        except OSError:
            pass
        finally:
            sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(DEADLINE_SECONDS)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fails after DEADLINE_SECONDS."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - of what has no event
            await asyncio.sleep(0.001)


async def settled(value: Callable[[], int]) -> int:
    """Wait until `value` has stayed the same for 50 ms, as where a flow has come to a halt;
    returns it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            before = value()
            await asyncio.sleep(0.05)
            if value() == before:
                return before
