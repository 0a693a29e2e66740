"""A client of the soak: one exchange after another, each checked to the last byte."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from corsproxy.core.messages import Field
from programs.soak.numbered import (
    BINARY,
    CLOSE,
    GOING_AWAY,
    Frame,
    Framing,
    Request,
    content_of,
    digest,
    digest_of_fields,
    end_to_end,
    request,
    response_fields,
)
from programs.soak.upstream import Received, event
from tests.fakes import Client, CutShortError, Reply
from tests.policies import PAGE

_UPGRADE = (
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)
_LARGE = 1_000_000

GOES_AWAY = "1001"
"""The detail of a WebSocket that the proxy has closed because it is stopping."""


class Outcome(StrEnum):
    """How an exchange ended."""

    RIGHT = "right"
    WRONG = "wrong"
    FAILED = "failed"
    """The proxy answered that it could not reach the upstream, or that it is stopping."""
    CUT = "cut"
    """The connection ended before or within the response."""


class Visit(NamedTuple):
    """A finished exchange."""

    kind: str
    number: int
    repeatable: bool
    """Whether a proxy may send it again (RFC 9110, 9.2.2)."""
    outcome: Outcome
    detail: str
    began: float
    ended: float


class WrongError(Exception):
    """A response is wrong."""


class FailedError(Exception):
    """The proxy says that it could not get a response."""


class Visitor:
    """One client, which keeps its connection if it may."""

    def __init__(self, port: Callable[[], int], received: Received, numbers: "Numbers") -> None:
        """`port` returns where to connect; `numbers` are shared with the other visitors."""
        self._port = port
        self._received = received
        self._numbers = numbers
        self._random = random.Random(numbers.next())
        self._client: Client | None = None

    async def visit(self, kind: str) -> Visit:
        """Make an exchange of this kind: the name of a method below."""
        number = self._numbers.next()
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome, detail = Outcome.RIGHT, ""
        act: Callable[[int], Awaitable[None]] = getattr(self, kind)
        try:
            await act(number)
        except (CutShortError, ConnectionError, asyncio.IncompleteReadError) as error:
            outcome, detail = Outcome.CUT, repr(error)
        except TimeoutError:
            outcome, detail = Outcome.WRONG, "no answer in time"
        except FailedError as error:
            outcome, detail = Outcome.FAILED, str(error)
        except (WrongError, AssertionError) as error:
            outcome, detail = Outcome.WRONG, str(error)
        if outcome is not Outcome.RIGHT:
            await self.leave()
        repeatable = kind not in NOT_REPEATABLE
        return Visit(kind, number, repeatable, outcome, detail, began, loop.time())

    async def leave(self) -> None:
        """Close the connection."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    # The kinds of exchanges.

    async def forward(self, number: int) -> None:
        """Ask for content, small or large, in any framing."""
        framing: Framing = self._random.choice(["length", "length", "chunked", "close"])
        size = self._random.choice([0, 1, 1024, 1024, 20_000, 300_000])
        asked = request("GET", f"/content/{number}/{size}/{framing}", number)
        reply = await self._ask(asked, asked.head())
        content = content_of(number, size)
        own = [(b"X-Framing", b"close")] if framing == "close" else []
        self._check(reply, asked, number, content, digest(content), own)

    async def slow(self, number: int) -> None:
        """Wait for content."""
        milliseconds = self._random.randint(100, 800)
        asked = request("GET", f"/slow/{number}/{milliseconds}", number)
        reply = await self._ask(asked, asked.head())
        content = content_of(number, 1000)
        self._check(reply, asked, number, content, digest(content))

    async def post(self, number: int) -> None:
        """Send content in one piece."""
        content = content_of(number, self._random.choice([0, 10, 2000, 60_000]))
        asked = request("POST", f"/digest/{number}", number)
        reply = await self._ask(
            asked, asked.head((b"Content-Length", b"%d" % len(content))) + content
        )
        found = digest(content).encode()
        self._check(reply, asked, number, found, digest(found))

    async def upload(self, number: int) -> None:
        """Send large content in chunks, and read the echo meanwhile."""
        content = content_of(number, self._random.choice([100_000, _LARGE]))
        asked = request("POST", f"/echo/{number}", number)
        client = await self._connected()
        sending = asyncio.ensure_future(self._send_chunks(client, asked, content))
        try:
            reply = await self._reply(client, asked.method)
        finally:
            sending.cancel()
            with suppress(ConnectionError, asyncio.CancelledError):
                await sending
        self._check(reply, asked, number, content, "")

    async def events(self, number: int) -> None:
        """Read a stream of server-sent events to its end."""
        count = self._random.randint(1, 20)
        asked = request("GET", f"/events/{number}/{count}", number)
        reply = await self._ask(asked, asked.head())
        content = b"".join(event(number, each) for each in range(count))
        kind = (b"Content-Type", b"text/event-stream")
        self._check(reply, asked, number, content, "", [kind])

    async def socket(self, number: int) -> None:
        """Switch to WebSocket, and have every message sent back."""
        await self.leave()
        asked = request("GET", f"/socket/{number}", number, *_UPGRADE)
        asked = asked._replace(fields=[each for each in asked.fields if each[1] != b"X-Hop"])
        asked = asked._replace(fields=[each for each in asked.fields if each[0] != b"X-Hop"])
        reply = await self._ask(asked, asked.head())
        expected = response_fields(number, digest_of_fields(asked.fields))
        _same("status", reply.status, 101)
        _same("fields", end_to_end(reply.fields), end_to_end(expected))
        for _ in range(self._random.randint(1, 4)):
            await self._talk(self._random.randint(1, 4))
        client = await self._connected()
        if self._random.random() < 0.5:
            close = Frame(CLOSE, struct.pack(">H", 1000))
            await client.send(close.serialized(masked=True))
            _same("close", await self._frame(client), close)
        else:
            client.finish()
        rest = await client.rest()
        if rest == Frame(CLOSE, GOING_AWAY).serialized(masked=False):
            raise FailedError(GOES_AWAY)
        _same("rest", rest, b"")
        await self.leave()

    async def preflight(self, number: int) -> None:
        """Ask for permission, and get it."""
        reply = await self._preflight(number, PAGE)
        _same("status", reply.status, 204)
        _same("grant", reply.grant, PAGE)
        methods = reply.value("Access-Control-Allow-Methods") or ""
        _same("methods", "PUT" in methods.split(", "), True)

    async def refused(self, number: int) -> None:
        """Send from an unlisted origin: the upstream must not get it."""
        asked = request("GET", f"/content/{number}/10/length", number)
        origin = (b"Origin", b"https://evil.example")
        fields = [origin if name == b"Origin" else (name, value) for name, value in asked.fields]
        asked = asked._replace(fields=fields)
        reply = await self._ask(asked, asked.head())
        _same("status", reply.status, 403)
        _same("grant", reply.grant, None)
        _same("requests", self._received.seen[number], 0)
        reply = await self._preflight(number, "https://evil.example")
        _same("status", reply.status, 403)

    async def leave_download(self, number: int) -> None:
        """Leave while content arrives."""
        asked = request("GET", f"/content/{number}/{_LARGE * 4}/length", number)
        client = await self._connected()
        await client.send(asked.head())
        head = await client.head()
        if not head.startswith(b"HTTP/1.1 200 "):
            raise FailedError(head.split(b"\r\n")[0].decode())
        await client.exactly(self._random.randint(1, 100_000))
        client.reset()
        await self.leave()

    async def leave_upload(self, number: int) -> None:
        """Leave while sending content."""
        asked = request("POST", f"/digest/{number}", number)
        client = await self._connected()
        await client.send(asked.head((b"Content-Length", b"%d" % _LARGE)), b"x" * 50_000)
        client.reset()
        await self.leave()

    async def leave_waiting(self, number: int) -> None:
        """Leave before there is a response."""
        asked = request("GET", f"/hold/{number}", number)
        client = await self._connected()
        await client.send(asked.head())
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while not self._received.seen[number]:  # noqa: ASYNC110 - of what has no event
                    await asyncio.sleep(0.005)
        client.reset()
        await self.leave()

    # Their parts.

    async def _connected(self) -> Client:
        if self._client is None:
            connected = await asyncio.open_connection("127.0.0.1", self._port(), limit=2**20)
            self._client = Client(*connected)
        return self._client

    async def _ask(self, asked: Request, data: bytes) -> Reply:
        client = await self._connected()
        await client.send(data)
        return await self._reply(client, asked.method)

    async def _reply(self, client: Client, method: str) -> Reply:
        reply = await client.reply(method)
        closes = reply.value("Connection") == "close"
        if closes and reply.status != 101:
            await self.leave()
        if reply.status in (502, 503, 504):
            _same("grant of an error", reply.grant, PAGE)
            raise FailedError(f"{reply.status} {reply.content[:500].decode('utf-8', 'replace')}")
        return reply

    async def _send_chunks(self, client: Client, asked: Request, content: bytes) -> None:
        await client.send(asked.head((b"Transfer-Encoding", b"chunked")))
        start = 0
        while start < len(content):
            piece = content[start : start + self._random.randint(1, 50_000)]
            start += len(piece)
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await client.send(b"0\r\n\r\n")

    async def _talk(self, messages: int) -> None:
        """Send messages, and expect them back in the same order."""
        client = await self._connected()
        sizes = [self._random.choice([0, 1, 100, 40_000]) for _ in range(messages)]
        sent = [Frame(BINARY, self._random.randbytes(size)) for size in sizes]
        await client.send(b"".join(frame.serialized(masked=True) for frame in sent))
        for frame in sent:
            _same("message", await self._frame(client), frame)

    async def _frame(self, client: Client) -> Frame:
        frame = await Frame.read(client.exactly)
        if frame == Frame(CLOSE, GOING_AWAY):
            raise FailedError(GOES_AWAY)
        return frame

    async def _preflight(self, number: int, origin: str) -> Reply:
        asked = Request(
            "OPTIONS",
            f"/content/{number}/10/length",
            [
                (b"Host", b"localhost"),
                (b"Origin", origin.encode()),
                (b"Access-Control-Request-Method", b"PUT"),
                (b"Access-Control-Request-Headers", b"content-type"),
            ],
        )
        return await self._ask(asked, asked.head())

    def _check(
        self,
        reply: Reply,
        asked: Request,
        number: int,
        content: bytes,
        content_digest: str,
        own: Sequence[Field] = (),
    ) -> None:
        expected = response_fields(number, digest_of_fields(asked.fields), content_digest)
        _same("status", reply.status, 200)
        _same("fields", end_to_end(reply.fields), end_to_end([*expected, *own]))
        _same("grant", reply.grant, PAGE)
        _same("Vary", "Origin" in (reply.value("Vary") or ""), True)
        _same("digest of the content", digest(reply.content), digest(content))


class Numbers:
    """Numbers that no two exchanges share."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last += 1
        return self._last


KINDS = {
    "forward": 40,
    "post": 12,
    "preflight": 12,
    "upload": 4,
    "events": 6,
    "socket": 6,
    "refused": 6,
    "leave_download": 3,
    "leave_upload": 3,
    "leave_waiting": 3,
}
"""How often each kind of exchange comes up, in parts."""

NOT_REPEATABLE = frozenset({"post", "upload", "leave_upload"})


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongError(f"{what}: {str(found)[:500]} is not {str(expected)[:500]}")
