"""Deliberate damage between the visitors and the proxy, to verify that the soak detects it.

A saboteur is a relay. It parses the passing messages, and damages some of them in one way, as a
proxy with that kind of fault would.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Self

from programs.soak.numbered import Frame
from tests.peers import DEADLINE_SECONDS

_PIECE = 64 * 1024
# Larger content is passed on unharmed as it arrives.
_MOST_HELD = 1_500_000
_TOGETHER_SECONDS = 0.01


class Message(NamedTuple):
    """A request or a response."""

    head: bytes
    body: bytes
    """The content, in its framing."""

    def replaced(self, old: bytes, new: bytes) -> "Message":
        return self._replace(head=self.head.replace(old, new, 1))


Harm = Callable[[Message], Message | None]
"""Returns the damaged message; None if it does not apply."""


def _line(name: bytes, harm: Callable[[bytes], bytes]) -> Harm:
    """Damage the first line of that name."""
    pattern = re.compile(rb"\r\n" + name + rb": [^\r]*", re.IGNORECASE)

    def do(message: Message) -> Message | None:
        head, count = pattern.subn(lambda found: harm(found[0]), message.head, count=1)
        return message._replace(head=head) if count else None

    return do


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def _content(harm: Callable[[bytes], bytes]) -> Harm:
    """Damage the content of a response of known length."""

    def do(message: Message) -> Message | None:
        if not message.body or b"\r\nContent-Length: " not in message.head:
            return None
        return message._replace(body=harm(message.body))

    return do


def _shorter(message: Message) -> Message | None:
    """Leave out the last byte, and adjust the length."""
    harmed = _content(lambda body: body[:-1])(message)
    if harmed is None:
        return None
    length = b"\r\nContent-Length: %d"
    return harmed.replaced(length % len(message.body), length % len(harmed.body))


def _without_an_event(message: Message) -> Message | None:
    events = re.findall(rb"[0-9a-f]+\r\nid: .*?\n\n\r\n", message.body, re.DOTALL)
    return message._replace(body=message.body.replace(events[0], b"", 1)) if events else None


def _swapped_events(message: Message) -> Message | None:
    events = re.findall(rb"[0-9a-f]+\r\nid: .*?\n\n\r\n", message.body, re.DOTALL)
    if len(events) < 2:
        return None
    first, second = events[:2]
    return message._replace(body=message.body.replace(first + second, second + first, 1))


def _swapped_lines(message: Message) -> Message:
    pattern = rb"(\r\nSet-Cookie: [^\r]*)(\r\nSet-Cookie: [^\r]*)"
    return message._replace(head=re.sub(pattern, rb"\2\1", message.head))


def _granted(message: Message) -> Message | None:
    if b" 403 " not in message.head:
        return None
    grant = b"\r\nAccess-Control-Allow-Origin: https://evil.example\r\n\r\n"
    return message._replace(head=message.head[:-4] + grant)


def _failed(message: Message) -> Message | None:
    if b" 200 " not in message.head:
        return None
    return message.replaced(b" 200 ", b" 502 ")


RESPONSES: dict[str, Harm] = {
    "another byte": _content(lambda body: _flip(body, len(body) // 2)),
    "another last byte": _content(lambda body: _flip(body, len(body) - 1)),
    "a byte less": _shorter,
    "a cut": _content(lambda body: body[:-1]),
    "another status": lambda message: message.replaced(b" 200 ", b" 206 "),
    "a failure": _failed,
    "another value": _line(b"x-bytes", lambda line: _flip(line, len(line) - 1)),
    "another name": _line(b"x-bytes", lambda line: line.replace(b"x-b", b"X-b")),
    "a line less": _line(b"set-cookie", lambda line: b""),
    "a line twice": _line(b"set-cookie", lambda line: line + line),
    "a line more": _line(b"x-bytes", lambda line: line + b"\r\nX-More: 1"),
    "lines in another order": _swapped_lines,
    "no grant": _line(b"access-control-allow-origin", lambda line: b""),
    "another's grant": _line(b"access-control-allow-origin", lambda line: line + b"0"),
    "a grant twice": _line(b"access-control-allow-origin", lambda line: line + line),
    "a grant for the refused": _granted,
    "no Vary": _line(b"vary", lambda line: b""),
    "an event less": _without_an_event,
    "events in another order": _swapped_events,
}
"""Damage to responses."""

REQUESTS: dict[str, Harm] = {
    "another byte sent": _content(lambda body: _flip(body, len(body) // 2)),
    "a sent line less": _line(b"x-repeated", lambda line: b""),
    "a sent line twice": _line(b"cookie", lambda line: line + line),
    "another value sent": _line(b"cookie", lambda line: _flip(line, len(line) - 1)),
}
"""Damage to requests."""

OTHERS = ("another's answer", "messages in another order", "a message less", "a request twice")
"""Damage that involves more than one message."""

KINDS = (*RESPONSES, *REQUESTS, *OTHERS)


class Saboteur:
    """A relay in front of `port()` that does this kind of damage."""

    def __init__(self, kind: str, port: Callable[[], int]) -> None:
        """`kind` is one of KINDS; "" does no damage."""
        self._kind = kind
        self._port = port
        self.harmed = 0
        """How often it has done damage."""
        self._kept: Message | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        try:
            yield self
        finally:
            self._server.close()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DEADLINE_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there = await asyncio.open_connection("127.0.0.1", self._port(), limit=2**20)
        except ConnectionError:
            writer.transport.abort()
        else:
            ends = (_End(reader, writer), _End(*there))
            await _Pair(self, *ends).carry()
        finally:
            self._tasks.discard(task)

    def harm_response(self, message: Message) -> Message:
        if self._kind == "another's answer" and message.head.startswith(b"HTTP/1.1 200 "):
            # Every client gets the response meant for the previous one.
            before, self._kept = self._kept, message
            self.harmed += before is not None
            return message if before is None else before
        return self._harm(RESPONSES, message)

    def harm_request(self, message: Message) -> Message:
        return self._harm(REQUESTS, message)

    def harm_order(self, frames: list[Frame]) -> list[Frame]:
        """Damage the messages of a WebSocket that directly follow each other."""
        if len(frames) > 1 and frames[0] != frames[1]:
            if self._kind == "messages in another order":
                self.harmed += 1
                return [frames[1], frames[0], *frames[2:]]
            if self._kind == "a message less":
                self.harmed += 1
                return frames[1:]
        return frames

    async def repeat(self, message: Message) -> None:
        """Send a request twice, as a careless proxy might."""
        if self._kind == "a request twice" and message.body:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port())
            writer.write(message.head + message.body)
            await reader.read(1)
            writer.close()
            self.harmed += 1

    def _harm(self, harms: dict[str, Harm], message: Message) -> Message:
        harm = harms.get(self._kind)
        harmed = None if harm is None else harm(message)
        if harmed is None or harmed == message:
            return message
        self.harmed += 1
        return harmed


class _End(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class _Pair:
    """A client's connection and the one to the proxy."""

    def __init__(self, saboteur: Saboteur, client: _End, proxy: _End) -> None:
        self._saboteur = saboteur
        self._client = client
        self._proxy = proxy
        self._switched = asyncio.Event()

    async def carry(self) -> None:
        to_proxy = asyncio.create_task(self._requests())
        to_client = asyncio.create_task(self._responses())
        both = {to_proxy, to_client}
        try:
            await asyncio.gather(*both)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            for end in (self._client, self._proxy):
                end.writer.transport.abort()

    async def _requests(self) -> None:
        """Relay requests, and what follows them, as they arrive."""
        reader, writer = self._client.reader, self._proxy.writer
        while head := await _head(reader):
            length = int(_value(head, b"content-length") or 0)
            whole = 0 < length <= _MOST_HELD and b"/leave" not in head
            message = Message(head, b"")
            if whole and b" /digest/" in head:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        message = message._replace(body=await reader.readexactly(length))
            await self._saboteur.repeat(message)
            message = self._saboteur.harm_request(message)
            writer.write(message.head + message.body)
            await writer.drain()
            if not message.body and (length or _value(head, b"transfer-encoding")):
                await _pass(reader, writer)
                return
            if _value(head, b"upgrade"):
                await _pass(reader, writer)
                return
        writer.write_eof()

    async def _responses(self) -> None:
        reader, writer = self._proxy.reader, self._client.writer
        while head := await _head(reader):
            status = int(head.split(b" ", 2)[1])
            if status == 101:
                writer.write(head)
                await self._frames()
                return
            length = _value(head, b"content-length")
            if length and int(length) > _MOST_HELD:
                writer.write(head)
                await _pass(reader, writer)
                return
            body = b"" if status == 204 else await _body(reader, head)
            message = self._saboteur.harm_response(Message(head, body))
            writer.write(message.head + message.body)
            await writer.drain()
            if len(message.body) < len(body) and _value(message.head, b"content-length") == length:
                break
        writer.write_eof()

    async def _frames(self) -> None:
        """Relay the proxy's frames; frames that directly follow each other go together."""
        reader, writer = self._proxy.reader, self._client.writer
        coming = asyncio.ensure_future(Frame.read(reader.readexactly))
        try:
            while True:
                frames = [await coming]
                coming = asyncio.ensure_future(Frame.read(reader.readexactly))
                await asyncio.wait([coming], timeout=_TOGETHER_SECONDS)
                if coming.done() and coming.exception() is None:
                    frames.append(coming.result())
                    coming = asyncio.ensure_future(Frame.read(reader.readexactly))
                for frame in self._saboteur.harm_order(frames):
                    writer.write(frame.serialized(masked=False))
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.write_eof()
        finally:
            coming.cancel()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""


def _value(head: bytes, name: bytes) -> bytes:
    found = re.search(rb"\r\n" + name + rb": ([^\r]*)", head, re.IGNORECASE)
    return found[1] if found else b""


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read a response's content in its framing."""
    if b"chunked" in _value(head, b"transfer-encoding"):
        body = b""
        size = -1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            body += line + await reader.readexactly(size + 2)
        return body
    length = _value(head, b"content-length")
    return await reader.readexactly(int(length)) if length else await reader.read()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
