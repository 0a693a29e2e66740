"""Requests over HTTP/2 that could become others in HTTP/1.1, and what a real back end reads.

A tap between the proxy and the back end keeps the bytes of both directions. Whatever a client has
put into its field sections and content: on each upstream connection stand whole requests by a
strict reader, the ones that the client made, and the back end has answered each of them once.
"""

import asyncio
import os
import random
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from ssl import SSLContext
from typing import NamedTuple
from urllib.parse import urlsplit

from trustme import CA

from corsproxy.core.messages import Field
from corsproxy.core.policy import UpstreamAddress
from corsproxy.http2.frames import FrameType
from corsproxy.shell.upstream.pool import UpstreamPools
from programs.fuzz.wire import unchunked
from tests.certificates import contexts
from tests.fakes import serving
from tests.http2.frames import END_HEADERS, END_STREAM, block, frame
from tests.http2_client import (
    GoneError,
    H2Client,
    H2Reply,
    ResetError,
    connected,
    request_fields,
)
from tests.peers import PeerConnection, RawPeer
from tests.policies import policy, route

SMUGGLED = b"GET /account/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
NAMES = (
    b"content-length", b"transfer-encoding", b"te", b"host", b"connection", b"upgrade", b"expect",
    b"keep-alive", b"proxy-connection", b"http2-settings", b"x-a", b"content_length", b"trailer",
    b"transfer_encoding", b"content-length ", b"transfer-encoding\t", b"Content-Length", b"x:a",
    b"x\r\ncontent-length", b"x\0", b"", b"cookie", b"via", b"content-length\x0b", b"x\xe4", b"x a",
    b"Transfer-Encoding", b":path", b":authority", b":method", b":scheme", b":protocol", b":status",
)  # fmt: skip
HARMLESS = (
    b"te", b"expect", b"x-a", b"content_length", b"transfer_encoding", b"cookie", b"via",
    b"trailer", b"host", b"transfer.encoding", b"x-forwarded-for", b"range", b"http2",
)  # fmt: skip
VALUES = (
    b"0", b"5", b"+5", b"005", b"5, 5", b"5\0", b"-1", b"0x5", b"chunked", b"gzip, chunked",
    b" chunked", b"\x0bchunked", b"chunked\r\n\r\n" + SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"a\0b",
    b"1\nx: y", b"1\rx: y", b"1\r\n y", b"trailers", b"100-continue", b"websocket", b"h2c",
    b"close", b"localhost", b"other.example", b"", b" ", b"\xff", b"identity", b"x, content-length",
    b"Content-Length", b"a=1; b=\r\n", b"\x85\xe2\x80\xa8",
)  # fmt: skip
VALID = (
    b"0",
    b"5, 5",
    b"chunked",
    b"trailers",
    b"100-continue",
    b"localhost",
    b"\xff",
    b"close",
    b"",
)
METHODS = (b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH")
INSTEAD = {
    b":method": (
        b"get", b"FOO", b"PRI", b"TRACE", b"CONNECT", b"", b"GET\t", b"G\0T", b"G(T",
        b"GET /account HTTP/1.1\r\nHost: x\r\n\r\nGET",
    ),
    b":path": (
        b" HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, b" HTTP/1.1", b"\r\n\r\n", b"\n", b"#",
        b"%0d%0a%0d%0aGET%20/", b"\xe4", b"?\0", b"?a=b c", b"\\", b"?%20HTTP/1.1", b"\t",
    ),
    b":authority": (
        b"localhost\r\ncontent-length: 5", b"localhost/account", b"user@localhost", b"", b"a b",
        b"localhost:80:90", b"[::1]", b"other.example", b"localhost\0", b"localhost, other",
    ),
    b":scheme": (b"http", b"ftp", b"https\r\nx: y", b"https://localhost/account?", b"", b"HTTPS"),
}  # fmt: skip
CONTENTS = (
    b"", b"abc", b"abcde", SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"5\r\nabcde\r\n0\r\n\r\n" + SMUGGLED,
    b"\r\n" + SMUGGLED, b"\0", b"\r\n\r\n",
)  # fmt: skip


class Asked(NamedTuple):
    """What a client sends on one stream."""

    fields: list[Field]
    content: bytes | None
    trailers: list[Field]


def drawn(draw: random.Random, number: int) -> Asked:
    """A request that is right but for some of it, or altogether."""
    pseudo = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost")]
    fields = [*pseudo, (b":path", b"/x/%d" % number)]
    if draw.random() < 0.3:
        fields[0] = (b":method", draw.choice(METHODS))
    if draw.random() < 0.25:
        at = draw.randrange(4)
        name, value = fields[at]
        other = draw.choice(INSTEAD[name])
        fields[at] = (name, value + other if name == b":path" else other)
    if draw.random() < 0.05:
        del fields[draw.randrange(4)]
    content = draw.choice(CONTENTS) if draw.random() < 0.5 else None
    if content is not None and draw.random() < 0.4:
        length = len(content) + draw.choice((0, 0, 0, 0, 1, -1))
        fields.append((b"content-length", b"%d" % length))
    for _ in range(draw.choice((0, 0, 1, 1, 2))):
        # Of those that may be there, some make it to the back end.
        names, values = draw.choice(((NAMES, VALUES), (HARMLESS, VALUES), (HARMLESS, VALID)))
        fields.insert(
            draw.randint(min(4, len(fields)), len(fields)),
            (draw.choice(names), draw.choice(values)),
        )
    trailers = [(draw.choice(NAMES), draw.choice(VALUES))] if draw.random() < 0.15 else []
    return Asked(fields, content, trailers)


class Tapped(NamedTuple):
    """The bytes of one upstream connection."""

    asked: bytearray
    said: bytearray

    def check(self, targets: set[bytes]) -> int:
        """Hold both against each other; returns how many requests there were."""
        found = list(strict(bytes(self.asked)))
        assert set(found) <= targets, found
        # The last may have been given up, by either side.
        answers = len(re.findall(rb"HTTP/1\.[01] [2-5][0-9][0-9]", self.said))
        assert len(found) - 1 <= answers <= len(found), (found, bytes(self.said))
        assert b"account" not in self.said, bytes(self.asked)
        return len(found)


def strict(data: bytes) -> Iterator[bytes]:
    """The targets of the requests that stand behind one another; the last need not be whole.
    Fails for what is none by the grammar's letter."""
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        begun = re.fullmatch(rb"[!#-'*+.^-z|~0-9A-Z-]+ (/[!-~]*|\*) HTTP/1\.1", first)
        assert begun is not None or not end, first
        if begun is None:
            return
        yield begun[1]
        framing = []
        for line in lines:
            field = re.fullmatch(rb"([!#-'*+.^-z|~0-9A-Z-]+): ?([\t -~\x80-\xff]*)", line)
            assert field is not None or not end, line
            if field is not None and field[1].lower() in (b"content-length", b"transfer-encoding"):
                framing.append(field[2])
        assert len(framing) <= 1, head
        if framing == [b"chunked"]:
            # What is cut off is the last of its connection.
            with suppress(AssertionError, TypeError):
                _, data = unchunked(data)
                continue
            return
        data = data[int(framing[0]) if framing else 0 :]


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[tuple[int, list[Tapped]]]:
    """A port that leads to `url`, and what goes over it."""
    parts = urlsplit(url)
    taps: list[Tapped] = []

    async def script(peer: PeerConnection) -> None:
        tap = Tapped(bytearray(), bytearray())
        taps.append(tap)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        there = pump(peer.reader, writer, tap.asked)
        await asyncio.gather(there, pump(reader, peer.writer, tap.said))
        for each in (writer, peer.writer):
            with suppress(ConnectionError):
                await each.wait_closed()

    async with RawPeer(script) as peer:
        yield peer.port, taps


async def pump(reader: StreamReader, writer: StreamWriter, into: bytearray) -> None:
    """Pass bytes on until there are no more."""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            into += data
            writer.write(data)
            await writer.drain()
    writer.close()


@lru_cache(maxsize=1)
def tls() -> tuple[SSLContext, SSLContext]:
    return contexts(CA(), "h2", "http/1.1")


async def send(client: H2Client, asked: Asked) -> H2Reply | None:
    """Send frames past the library, which would not have all of them, and return the reply; None
    where there was none."""
    await client.flush()
    stream = client.h2.get_next_available_stream_id()
    is_head = (b":method", b"HEAD") in asked.fields
    known = request_fields(method="HEAD" if is_head else "GET")
    client.h2.send_headers(stream, known, end_stream=True)
    client.h2.clear_outbound_data_buffer()
    frames = [(FrameType.HEADERS, block(asked.fields))]
    if asked.content is not None:
        frames.append((FrameType.DATA, asked.content))
    if asked.trailers:
        frames.append((FrameType.HEADERS, block(asked.trailers)))
    for at, (kind, payload) in enumerate(frames, 1):
        flags = END_HEADERS * (kind == FrameType.HEADERS) | END_STREAM * (at == len(frames))
        await client.send_raw(frame(kind, flags, stream, payload))
    with suppress(ResetError):
        return await client.reply(stream)
    return None


async def check_requests(url: str) -> None:
    """The back end reads the requests that were made, and no others."""
    count = 600 if os.environ.get("FRAMEWORKS") == "all" else 100
    draw = random.Random("smuggling")
    targets: set[bytes] = {b"*"}
    async with tapped(url) as (port, taps):
        pools = UpstreamPools()
        rules = policy(route(upstream=UpstreamAddress("http", "127.0.0.1", port)))
        async with serving(pools, rules, tls()) as proxy:
            for begun in range(0, count, 50):
                async with connected(proxy) as client:
                    with suppress(GoneError):
                        for number in range(begun, min(begun + 50, count)):
                            asked = drawn(draw, number)
                            targets |= {value for name, value in asked.fields if name == b":path"}
                            await send(client, asked)
                            await check_marker(client, number, targets)
            await pools.close()
        requests = [tap.check(targets) for tap in taps]
    markers = sum(bytes(tap.asked).count(b"/marker/") for tap in taps)
    assert markers == count, "each marker went to the back end"
    assert sum(requests) > 1.25 * count, "and of the others, many"


async def check_marker(client: H2Client, number: int, targets: set[bytes]) -> None:
    """What comes next is answered as what it is."""
    target = b"/marker/%d" % number
    targets.add(target)
    reply = await send(client, Asked(request_fields(target.decode()), None, []))
    assert reply is not None
    assert (reply.status, reply.content) == (200, b"other"), (number, reply)
