"""The upstream of the soak: it answers by numbers, checks the requests, and can be replaced.

GET  /content/NUMBER/SIZE/FRAMING    the number's content
POST /digest/NUMBER                  the digest of the request's content
POST /echo/NUMBER                    the request's content, while it arrives
GET  /events/NUMBER/COUNT            so many server-sent events
GET  /slow/NUMBER/MILLISECONDS        the number's content, after a while
GET  /hold/NUMBER                    no answer: the client is to leave
GET  /socket/NUMBER                  a WebSocket that sends every message back
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

from corsproxy.core.messages import Field
from programs.soak.numbered import (
    BINARY,
    CLOSE,
    Frame,
    content_of,
    digest,
    digest_of_fields,
    response_fields,
)

_PIECE = 16 * 1024
_EVENT_SECONDS = 0.005
# How long a connection may wait for its first request, and one in progress for its end.
_PATIENCE_SECONDS = 1.0
_GRACE_SECONDS = 15.0


class Received:
    """What all generations of the upstream have received."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()
        """How often the head of each numbered request has arrived."""
        self.held = 0
        """How many requests got no response."""
        self.left = 0
        """How many of them were left by their clients."""
        self.faults: list[str] = []
        """Requests that are not as they should be."""


class Generation:
    """Like one process of the upstream: it accepts connections, and is replaced."""

    def __init__(self, received: Received, listener: socket.socket) -> None:
        """Generations share a listener, so that nothing is lost between two of them."""
        self._received = received
        self._listener = listener
        self._open: set[asyncio.StreamWriter] = set()
        self._idle: set[asyncio.StreamWriter] = set()
        """Connections between two requests."""
        self._unasked: set[asyncio.StreamWriter] = set()
        """Connections before the first."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring = False
        self._crashed = False

    async def start(self) -> None:
        """Accept connections.

        This does not use asyncio's server, which leaks connections accepted while it is closed.
        """
        self._accepting = self._listener.dup()
        self._accepting.setblocking(False)
        asyncio.get_running_loop().add_reader(self._accepting, self._accept)

    def _stop_accepting(self) -> None:
        if self._accepting.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._accepting)
            self._accepting.close()

    async def retire(self) -> None:
        """Stop accepting, finish the requests in progress, and close every connection."""
        self._retiring = True
        self._stop_accepting()
        for _ in range(10):
            # An accepted connection takes a few turns of the loop to begin.
            await asyncio.sleep(0)
        for writer in self._idle:
            writer.close()
        await self._ended(_PATIENCE_SECONDS)
        for writer in self._unasked:
            writer.close()
        await self._ended(_GRACE_SECONDS)
        await self.crash()

    async def crash(self) -> None:
        """Stop in the middle of everything."""
        self._crashed = True
        self._stop_accepting()
        for writer in self._open:
            writer.transport.abort()
        await self._ended(None)

    async def _ended(self, patience: float | None) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            sock, _ = self._accepting.accept()
            task = asyncio.create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
        if self._crashed:
            # Accepted after the crash, so nothing else closes it.
            writer.transport.abort()
            return
        self._open.add(writer)
        self._unasked.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    self._idle.add(writer)
        finally:
            self._open.discard(writer)
            self._idle.discard(writer)
            self._unasked.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        self._idle.discard(writer)
        self._unasked.discard(writer)
        line, *lines = head[:-4].split(b"\r\n")
        target = line.split(b" ")[1].decode()
        fields = [(name, value) for name, _, value in (each.partition(b": ") for each in lines)]
        kind, number, *rest = target.strip("/").split("/")
        self._received.seen[int(number)] += 1
        self._check(target, fields)
        answer = Answer(writer, int(number), digest_of_fields(fields), closes=self._retiring)
        if kind == "hold":
            self._received.held += 1
            with suppress(ConnectionError):
                await reader.read()
            self._received.left += 1
            return False
        await self._answer(answer, kind, rest, reader, fields)
        return not (self._retiring or answer.closes)

    async def _answer(
        self,
        answer: "Answer",
        kind: str,
        rest: list[str],
        reader: asyncio.StreamReader,
        fields: list[Field],
    ) -> None:
        pieces = _content(reader, fields)
        match kind:
            case "content":
                await answer.content(content_of(answer.number, int(rest[0])), rest[1])
            case "slow":
                await asyncio.sleep(int(rest[0]) / 1000)
                await answer.content(content_of(answer.number, 1000), "length")
            case "digest":
                found = b"".join([piece async for piece in pieces])
                await answer.content(digest(found).encode(), "length")
            case "echo":
                await answer.stream(pieces)
            case "events":
                await answer.events(int(rest[0]))
            case _:
                await answer.switch(reader)

    def _check(self, target: str, fields: list[Field]) -> None:
        names = Counter(name.lower() for name, _ in fields)
        values = {name.lower(): value for name, value in fields}
        wrong = [
            name
            for name, is_right in (
                ("via", names[b"via"] == 1),
                ("x-forwarded-for", values.get(b"x-forwarded-for") == b"127.0.0.1"),
                ("x-hop", b"x-hop" not in names),
                ("origin", values.get(b"origin") == b"http://" + values.get(b"host", b"")),
            )
            if not is_right
        ]
        if wrong:
            self._received.faults.append(f"{target}: {', '.join(wrong)} in {fields}")


class Answer:
    """The upstream's response to one request."""

    def __init__(
        self, writer: asyncio.StreamWriter, number: int, request_digest: str, *, closes: bool
    ) -> None:
        self._writer = writer
        self.number = number
        self._request_digest = request_digest
        self.closes = closes
        """Whether the connection ends with it."""

    async def content(self, content: bytes, framing: str) -> None:
        """Send content in pieces."""
        self.closes = self.closes or framing == "close"
        own = {
            "length": (b"Content-Length", b"%d" % len(content)),
            "chunked": (b"Transfer-Encoding", b"chunked"),
            "close": (b"X-Framing", b"close"),
        }[framing]
        self._head(200, digest(content), own)
        for start in range(0, len(content), _PIECE):
            piece = content[start : start + _PIECE]
            self._writer.write(_chunk(piece) if framing == "chunked" else piece)
            await self._writer.drain()
        if framing == "chunked":
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def stream(self, pieces: AsyncIterator[bytes]) -> None:
        """Send pieces as they come."""
        self._head(200, "", (b"Transfer-Encoding", b"chunked"))
        async for piece in pieces:
            self._writer.write(_chunk(piece))
            await self._writer.drain()
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def events(self, count: int) -> None:
        """Send server-sent events, one by one."""
        kind = (b"Content-Type", b"text/event-stream")
        self._head(200, "", kind, (b"Transfer-Encoding", b"chunked"))
        for number in range(count):
            self._writer.write(_chunk(event(self.number, number)))
            await self._writer.drain()
            await asyncio.sleep(_EVENT_SECONDS)
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def switch(self, reader: asyncio.StreamReader) -> None:
        """Become a WebSocket that sends every message back, until the other end closes."""
        self.closes = True
        self._head(101, "", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
        opcode = BINARY
        while opcode != CLOSE:
            frame = await Frame.read(reader.readexactly)
            opcode = frame.opcode
            self._writer.write(frame.serialized(masked=False))
            await self._writer.drain()

    def _head(self, status: int, content_digest: str, *own: Field) -> None:
        fields = response_fields(self.number, self._request_digest, content_digest)
        if status == 101:
            fields = [(name, value) for name, value in fields if name != b"Connection"]
        elif self.closes:
            fields.append((b"Connection", b"close"))
        lines = [name + b": " + value for name, value in (*fields, *own)]
        self._writer.write(b"\r\n".join([b"HTTP/1.1 %d Fine" % status, *lines, b"", b""]))


def event(number: int, count: int) -> bytes:
    """The server-sent event of these numbers."""
    return f"id: {count}\ndata: {digest(b'%d %d' % (number, count))}\n\n".encode()


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def _content(reader: asyncio.StreamReader, fields: list[Field]) -> AsyncIterator[bytes]:
    """The request's content, as it arrives."""
    values = {name.lower(): value for name, value in fields}
    if b"transfer-encoding" in values:
        while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return
    left = int(values.get(b"content-length", b"0"))
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece
