"""Floods over HTTP/2 against the command: their cost in memory, and service for other clients.

`tests/http2/test_protocol.py` tests when a connection ends. Here a whole process must survive it,
upstream connections included.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.http2.frames import (
    BEGINNING,
    END_HEADERS,
    END_STREAM,
    GET,
    POST,
    SETTINGS,
    block,
    data,
    frame,
    ping,
    reset,
    setting,
    window_update,
)
from tests.peers import PeerConnection, RawPeer, until
from tests.running import OK, Running, http2_of, running_https

MOST_MIB = 24
"""That a flood may cost: every window of a connection twice, and what the allocator keeps."""
_WHOLE, _BEGUN = END_HEADERS | END_STREAM, END_HEADERS
ENDLESS, UPLOAD, MALFORMED = (
    block(fields)
    for fields in (
        [*GET[:3], (b":path", b"/endless")],
        [*POST[:3], (b":path", b"/untaken")],
        [*GET, (b"X", b"1")],
    )
)
STREAMS = range(1, 257, 2)
MANY = range(1, 2001, 2)
LONGEST_S = 10.0
"""How long another client may wait for an answer, on a machine with other things to do."""


async def play(peer: PeerConnection) -> None:
    """An upstream with content without an end, which takes no content itself."""
    while True:
        head = await peer.head()
        if b"/untaken" in head:
            await asyncio.Event().wait()
        elif b"/endless" in head:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                await peer.send(bytes(65_536))
        else:
            await peer.send(OK)


def bomb() -> Iterator[bytes]:
    """HPACK: a field that is stored once, and referred to in one byte each."""
    large = b"\x40\x01x\x7f\x91\x1e" + b"y" * 3984
    yield frame(1, _WHOLE, 1, block(GET) + large)
    for stream in range(3, 23, 2):
        yield frame(1, 0, stream, block(GET) + b"\xbe" * 16_000)
        yield frame(9, END_HEADERS, stream, b"\xbe" * 16_000)


def endless_heads() -> Iterator[bytes]:
    yield frame(1, 0, 1, block(GET))
    for _ in range(100):
        yield frame(9, 0, 1, b"\x00\x01x\x7f\x80\x7f" + bytes(16_000))


def tiny_pieces() -> Iterator[bytes]:
    """Content in pieces that cost more than they hold, and that nobody takes."""
    for stream in STREAMS[:4]:
        yield frame(1, _BEGUN, stream, UPLOAD)
        yield data(stream, b"xy") * 15_000


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "cancels": lambda: (frame(1, _WHOLE, each, ENDLESS) + reset(each) for each in MANY),
    "cancels of uploads": lambda: (
        frame(1, _BEGUN, each, UPLOAD) + data(each, bytes(1000)) + reset(each)
        for each in MANY
    ),
    "resets by the server: windows": lambda: (
        frame(1, _WHOLE, each, ENDLESS) + window_update(each, 2**31 - 1) for each in MANY
    ),
    "resets by the server: content": lambda: (
        frame(1, _WHOLE, each, ENDLESS) + data(each, b"x") for each in MANY
    ),
    "resets by the server: heads": lambda: (
        frame(1, _WHOLE, each, MALFORMED) for each in MANY
    ),
    "endless heads": endless_heads,
    "bombs": bomb,
    "pings": lambda: iter([ping() * 1000] * 30),
    "settings": lambda: iter([SETTINGS * 1000] * 30),
    "windows that come and go": lambda: iter([setting(4, 0) + setting(4, 2**31 - 1)] * 10_000),
    "empty content": lambda: iter([frame(1, _BEGUN, 1, UPLOAD), *[data(1) * 1000] * 30]),
    "pieces that nobody takes": tiny_pieces,
    "all windows full": lambda: iter(
        frame(1, _BEGUN, each, UPLOAD) + data(each, bytes(16_384)) * 2 for each in STREAMS
    ),
    "no window at all": lambda: iter(
        [setting(4, 0), *[frame(1, _WHOLE, each, ENDLESS) for each in STREAMS]]
    ),
    "windows of a byte": lambda: iter(
        [setting(4, 0), *[frame(1, _WHOLE, each, ENDLESS) for each in STREAMS]]
        + [b"".join(window_update(each, 1) for each in STREAMS)] * 30
    ),
    "nothing read": lambda: iter(
        [setting(4, 2**31 - 1), window_update(0, 2**30)]
        + [frame(1, _WHOLE, each, ENDLESS) for each in STREAMS]
    ),
}  # fmt: skip


@asynccontextmanager
async def flooded(proxy: Running, sent: bytes) -> AsyncIterator[asyncio.Task[None]]:
    """A client that sends and never reads, for as long as it is let."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", proxy.port, ssl=proxy.trusting, server_hostname="localhost", limit=1024
    )

    async def pour() -> None:
        with suppress(ConnectionError):
            for at in range(0, len(sent), 16_384):
                if writer.is_closing():
                    break
                writer.write(sent[at : at + 16_384])
                await writer.drain()

    pouring = asyncio.create_task(pour())
    yield pouring
    pouring.cancel()
    await asyncio.wait([pouring])
    writer.transport.abort()


class Memory:
    """Of a process, in MiB."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")

    def now(self) -> int:
        return self._read("VmRSS:")

    def peak(self) -> int:
        """The most since `forget`."""
        return self._read("VmHWM:")

    def forget(self) -> None:
        (self._process / "clear_refs").write_text("5")

    def _read(self, name: str) -> int:
        status = (self._process / "status").read_text()
        return int(status.partition(name)[2].split()[0]) // 1024


async def test_a_flood_costs_little_and_others_are_served(tmp_path: Path) -> None:
    async with RawPeer(play) as upstream, running_https(upstream, tmp_path) as proxy:
        memory, loop = Memory(proxy.command.process.pid), asyncio.get_running_loop()
        async with http2_of(proxy) as other:
            for name, frames in FLOODS.items():
                sent = BEGINNING + b"".join(frames())
                assert (await other.get()).status == 200
                memory.forget()
                before, served, worst, end = memory.now(), 0, 0.0, loop.time() + LONGEST_S
                async with flooded(proxy, sent) as pouring:
                    while served < 3 or (not pouring.done() and loop.time() < end):
                        began = loop.time()
                        assert (await other.get()).status == 200, name
                        worst, served = max(worst, loop.time() - began), served + 1
                assert memory.peak() - before < MOST_MIB, name
                assert worst < LONGEST_S, name
        # Nothing of it goes on at the upstream, either.
        await until(lambda: sockets_of(proxy) < 16)


def sockets_of(proxy: Running) -> int:
    count = 0
    for each in Path(f"/proc/{proxy.command.process.pid}/fd").iterdir():
        # One of them may have been closed meanwhile.
        with suppress(FileNotFoundError):
            count += os.readlink(each).startswith("socket:")
    return count
