"""The proxy between an upstream that a test plays and a client that sends raw bytes.

    async with serving(FakeUpstream()) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        reply = await client.reply()

Leaving `serving` fails the test where a connection, a task or an upstream response that
nobody finished is left behind.
"""

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from corsproxy.core.messages import Field, Framing, UpstreamHead, UpstreamRequest
from corsproxy.core.policy import Limits, Policy, Route
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.listener.http1_connection import Http1Connection
from corsproxy.shell.listener.server import ProxyServer
from corsproxy.shell.streams.seams import RequestBody
from corsproxy.shell.streams.upstream_timings import UpstreamTimings
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.upstream import Upstream
from tests.peers import DEADLINE_SECONDS, until
from tests.policies import PAGE, policy


class FakeStream:
    """An upstream's end of a tunnel."""

    def __init__(self) -> None:
        self.to_client: asyncio.Queue[bytes] = asyncio.Queue()
        """What the upstream sends; b"" closes its sending side."""
        self.from_client = b""
        self.client_ended = False
        self.aborted = False
        self.may_write = asyncio.Event()
        """While it is not set, the upstream does not read."""
        self.may_write.set()

    async def read(self) -> bytes:
        return await self.to_client.get()

    async def write(self, data: bytes) -> None:
        self.from_client += data
        await self.may_write.wait()

    def push(self, data: bytes) -> None:
        self.from_client += data

    def write_eof(self) -> None:
        self.client_ended = True

    def abort(self) -> None:
        self.aborted = True


class FakeResponse:
    """An upstream's answer; its content comes when the test says so."""

    def __init__(
        self,
        content: bytes = b"ok",
        *,
        status: int = 200,
        fields: Sequence[Field] = (),
        framing: Framing = Framing.LENGTH,
        ended: bool = True,
        reason: bytes = b"OK",
    ) -> None:
        """With `ended` false, more than `content` is to come, or a failure."""
        lines = list(fields)
        if framing is Framing.LENGTH and all(name != b"Content-Length" for name, _ in lines):
            lines.append((b"Content-Length", b"%d" % len(content)))
        self.head = UpstreamHead(status, reason, lines, framing)
        self.stream = FakeStream()
        self.aborted = False
        self._pieces = deque([content] if content else [])
        self._ended = ended
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    @property
    def at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def untaken(self) -> int:
        return sum(map(len, self._pieces))

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def fail(self, failure: Exception) -> None:
        self._failure = failure
        self._changed.set()

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    async def read(self, most: int = 0) -> bytes:
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        return self._pieces.popleft()

    def switch(self) -> FakeStream:
        return self.stream

    def abort(self) -> None:
        self.aborted = not self.at_end


@dataclass
class Asked:
    """A request as it arrived at the upstream."""

    route: Route
    request: UpstreamRequest
    body: RequestBody | None
    limits: Limits
    cancelled: bool = False

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.request.fields if key.lower() == name]

    async def content(self) -> bytes:
        """Take all of the request's content."""
        if self.body is None:
            return b""
        pieces = [self.body.take()]
        while lent := await self.body.read():
            pieces.append(bytes(lent))
        return b"".join(pieces)


Play = Callable[[Asked], Awaitable[FakeResponse]]


async def ok(asked: Asked) -> FakeResponse:
    """Take the content, and answer 200 with "ok"."""
    await asked.content()
    return FakeResponse()


async def echo(asked: Asked) -> FakeResponse:
    """Answer with the request's content."""
    return FakeResponse(await asked.content())


def replying(*responses: FakeResponse | Exception) -> Play:
    """Answer one request after another with `responses`."""
    left = deque(responses)

    async def play(asked: Asked) -> FakeResponse:
        response = left.popleft()
        if isinstance(response, Exception):
            raise response
        return response

    return play


async def never(asked: Asked) -> FakeResponse:
    """Do not answer."""
    await asyncio.Event().wait()
    raise AssertionError


class FakeUpstream:
    """An `Upstream` that records what it is asked, and answers as `play` does."""

    def __init__(self, play: Play = ok) -> None:
        self.play = play
        self.asked: list[Asked] = []

    async def send(
        self,
        route: Route,
        request: UpstreamRequest,
        body: RequestBody | None,
        limits: Limits,
        bond: Bond | None = None,
        timings: UpstreamTimings | None = None,
    ) -> FakeResponse:
        asked = Asked(route, request, body, limits)
        self.asked.append(asked)
        try:
            return await self.play(asked)
        except asyncio.CancelledError:
            asked.cancelled = True
            raise

    async def close(self) -> None:
        """Nothing is kept."""


class CutShortError(Exception):
    """A response ended before its framing said so, or by a reset."""


class Reply(NamedTuple):
    """A response as a client reads it: framing obeyed, nothing forgiven."""

    status: int
    fields: list[Field]
    content: bytes

    def value(self, name: str) -> str | None:
        """The value of the one line `name`; None where there is none."""
        values = [value for key, value in self.fields if key.lower() == name.lower().encode()]
        assert len(values) <= 1, f"{name} is repeated"
        return values[0].decode("latin-1") if values else None

    @property
    def grant(self) -> str | None:
        return self.value("Access-Control-Allow-Origin")


class Client:
    """A client's end of a connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send; several pieces leave one by one. Raises ConnectionError."""
        for piece in pieces:
            if self._writer.is_closing():
                # asyncio's own transport would fail with an AttributeError now and then.
                raise ConnectionResetError
            self._writer.write(piece)
            await self._writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.001)

    async def head(self) -> bytes:
        """Read one head, 1xx or final, its empty line included."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise CutShortError from error

    async def reply(self, method: str = "GET") -> Reply:
        """Read one final response. Raises CutShortError."""
        head = await self.head()
        line, *lines = head[:-4].split(b"\r\n")
        version, status, _ = line.split(b" ", 2)
        assert version == b"HTTP/1.1"
        fields = [(name, value) for name, _, value in (each.partition(b": ") for each in lines)]
        reply = Reply(int(status), fields, b"")
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return reply._replace(content=await self._content(reply, method))
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise CutShortError from error

    async def _content(self, reply: Reply, method: str) -> bytes:
        if method == "HEAD" or reply.status in (101, 204, 304):
            return b""
        if reply.value("Transfer-Encoding") == "chunked":
            content = b""
            while size := int((await self._reader.readuntil(b"\r\n"))[:-2], 16):
                content += await self._reader.readexactly(size)
                assert await self._reader.readexactly(2) == b"\r\n"
            assert await self._reader.readexactly(2) == b"\r\n"
            return content
        length = reply.value("Content-Length")
        if length is not None:
            return await self._reader.readexactly(int(length))
        return await self._reader.read()

    async def rest_of_chunks(self) -> bytes:
        """Read chunked content behind a head that was read already."""
        chunked = Reply(200, [(b"transfer-encoding", b"chunked")], b"")
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._content(chunked, "GET")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._reader.readexactly(size)

    async def rest(self) -> bytes:
        """Read until the proxy closes. Raises CutShortError where it resets."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionError as error:
                raise CutShortError from error

    def finish(self) -> None:
        """Close the sending side, and go on reading."""
        with suppress(OSError):  # after a reset, which the next to read is told of
            self._writer.write_eof()

    def reset(self) -> None:
        """Leave with a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@dataclass
class Proxy:
    """A listening proxy."""

    server: ProxyServer
    port: int
    records: list[ExchangeRecord] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    trusting: ssl.SSLContext | None = None
    """How clients speak to it over TLS; None where they do not."""

    def exchange(self, record: ExchangeRecord) -> None:
        self.records.append(record)

    @property
    def connection(self) -> Http1Connection:
        """The only connection there is."""
        [connection] = self.server.connections
        assert isinstance(connection, Http1Connection)
        return connection

    async def connect(self, *, receive_buffer: int | None = None) -> Client:
        """Open a connection; with a `receive_buffer`, one that takes little unread."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        limit = 2**16 if receive_buffer is None else 1024
        if self.trusting is None:
            opened = await asyncio.open_connection(sock=sock, limit=limit)
        else:
            opened = await asyncio.open_connection(
                sock=sock, limit=limit, ssl=self.trusting, server_hostname="localhost"
            )
        client = Client(*opened)
        self.clients.append(client)
        return client

    async def ask(self, data: bytes, method: str = "GET") -> Reply:
        """Send `data` on a new connection and read one response."""
        client = await self.connect()
        await client.send(data)
        return await client.reply(method)

    async def record(self, number: int = 0) -> ExchangeRecord:
        """The record of an exchange, once it is there."""
        await until(lambda: len(self.records) > number)
        return self.records[number]


@asynccontextmanager
async def serving(
    upstream: Upstream | None = None,
    rules: Policy | None = None,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
) -> AsyncIterator[Proxy]:
    """A proxy on a free port, under a policy that allows PAGE; over TLS with the contexts of a
    server and of its clients."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks()
    server = ProxyServer(rules or policy(), upstream or FakeUpstream())
    accept = server if tls is None else server.over_tls(lambda: tls[0], lambda: None)
    listening = await loop.create_server(accept, "127.0.0.1", 0)
    proxy = Proxy(server, listening.sockets[0].getsockname()[1])
    proxy.trusting = None if tls is None else tls[1]
    server.service.journal = proxy
    try:
        yield proxy
    finally:
        listening.close()
        for client in proxy.clients:
            await client.close()
        await server.drain(0.0)
    await until(lambda: not server.connections)
    await until(lambda: asyncio.all_tasks() <= tasks | {asyncio.current_task()})


def get(target: str = "/", *lines: str, method: str = "GET", origin: str | None = PAGE) -> bytes:
    """The bytes of a request; `lines` are further field lines."""
    origins = () if origin is None else (f"Origin: {origin}",)
    head = (f"{method} {target} HTTP/1.1", "Host: localhost", *origins, *lines, "", "")
    return "\r\n".join(head).encode("latin-1")


def post(content: bytes, target: str = "/", *lines: str) -> bytes:
    return get(target, f"Content-Length: {len(content)}", *lines, method="POST") + content


async def told(asked: Asked) -> FakeResponse:
    """Answer with what was asked."""
    await asked.content()
    return FakeResponse(repr((asked.request.target, asked.request.fields)).encode())
