"""`python -m programs.inspector_memory`: many exchanges through the inspector, and its memory.

The real command runs with its inspector and one page that follows it. Distinct calls go through
it, with bodies both ways and some refusals. At the end the ring must not have grown beyond its
budget for heads and bodies, and the page must see the newest exchanges.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import ClientSession, CookieJar

from corsproxy.shell.admin.inspector.ring import (
    MOST_BODY_BYTES,
    MOST_EXCHANGES,
    MOST_HEAD_BYTES,
)
from programs.soak.usage import Usage
from tests.process import Command, started

BUDGET_KIB = (MOST_BODY_BYTES + MOST_HEAD_BYTES) // 1024
_ORIGINS = (b"http://localhost:5173",) * 63 + (b"https://stranger.example",)
_CONNECTIONS = 16
# Seconds without any answer.
_PATIENCE = 60.0
# By then all of the ring and the allocator's pools have been used once.
_WARM = 2 * MOST_EXCHANGES


class Asked(NamedTuple):
    """How much to send."""

    exchanges: int
    content: int
    """Bytes of each response."""
    readers: int


class Peer(asyncio.Protocol):
    """Reads HTTP/1.1 messages with a Content-Length, one after the other."""

    def __init__(self) -> None:
        self._left = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
            else:
                self._head += data
                head, end, data = self._head.partition(b"\r\n\r\n")
                if not end:
                    return
                self._head = b""
                length = head.lower().partition(b"\r\ncontent-length:")[2]
                self._left = int(length.partition(b"\r\n")[0] or 0)
            if not self._left:
                self.message()

    def message(self) -> None:
        """Handle a complete message."""


class Upstream(Peer):
    """Answers every request with the same content."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    def message(self) -> None:
        self.transport.write(self._answer)


class Numbers:
    """The numbers of the calls to make, from `first` to before `most`."""

    def __init__(self, first: int, most: int) -> None:
        self.next = first
        self._most = most

    def take(self) -> int | None:
        """Return the next number; None if all are used."""
        if self.next >= self._most:
            return None
        self.next += 1
        return self.next - 1


class Caller(Peer):
    """Calls until the numbers are used up."""

    def __init__(self, numbers: Numbers, done: asyncio.Future[None]) -> None:
        super().__init__()
        self._numbers = numbers
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.message()

    def message(self) -> None:
        number = self._numbers.take()
        if number is None:
            self.transport.close()
        else:
            self.transport.write(_request(number))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _request(number: int) -> bytes:
    origin = _ORIGINS[number % len(_ORIGINS)]
    body = b'{"number": %d, "password": "%x"}' % (number, number)
    return (
        b"POST /v1/items/%d?access_token=%x HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\n"
        b"Authorization: Bearer %032x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
        % (number, number, origin, number, len(body), body)
    )


async def _call(port: int, first: int, most: int) -> None:
    """Make the calls with those numbers, however long that takes on a busy machine.

    Raises: TimeoutError if no call is answered for a long time.
    """
    loop, numbers = asyncio.get_running_loop(), Numbers(first, most)
    waiting: set[asyncio.Future[None]] = set()
    for _ in range(_CONNECTIONS):
        done = loop.create_future()
        waiting.add(done)
        await loop.create_connection(lambda: Caller(numbers, done), "127.0.0.1", port)  # noqa: B023
    while waiting:
        before = numbers.next
        over, waiting = await asyncio.wait(waiting, timeout=_PATIENCE)
        if not over and numbers.next == before:
            raise TimeoutError(f"no answer for {_PATIENCE:.0f} s, of {before - first} calls")


@asynccontextmanager
async def _reading(inspector: str, readers: int) -> AsyncIterator[ClientSession]:
    """Follow the inspector as its page does."""
    parts = urlsplit(inspector)
    base = f"{parts.scheme}://{parts.netloc}"
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with ClientSession(base, cookie_jar=CookieJar(unsafe=True), headers=headers) as session:
        async with session.get(f"/?{parts.query}", headers={"Sec-Fetch-Site": "none"}) as opened:
            assert opened.status == 200

        async def follow() -> None:
            async with session.get("/inspector/events") as events:
                async for _ in events.content.iter_any():
                    pass

        following = [asyncio.create_task(follow()) for _ in range(readers)]
        try:
            yield session
        finally:
            for task in following:
                task.cancel()


async def _read_away(command: Command) -> None:
    assert command.process.stdout is not None
    while await command.process.stdout.readline():
        pass


def _tenths(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of each tenth of the way; nothing if there is no way."""
    marks = [first + (last - first) * tenth // 10 for tenth in range(11)]
    return pairwise(marks if last > first else ())


async def run(asked: Asked, directory: Path) -> list[str]:
    """Send everything and print the measurements; returns the faults."""
    content = b"x" * asked.content
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (
        len(content),
        content,
    )
    upstream = await asyncio.get_running_loop().create_server(
        lambda: Upstream(answer), "127.0.0.1", 0
    )
    port = upstream.sockets[0].getsockname()[1]
    arguments = (str(port), "-l", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--inspect", "-q")
    async with started(*arguments, cwd=directory) as command:
        ready = await command.event("ready")
        proxy = urlsplit(ready["listen"][0]).port or 0
        usage = Usage(command.process.pid)
        watching = asyncio.create_task(usage.watch())
        reading_away = asyncio.create_task(_read_away(command))
        async with _reading(ready["inspector"], asked.readers) as session:
            idle = usage.samples[-1].resident_kib
            await _call(proxy, 0, min(_WARM, asked.exchanges))
            warm = usage.sample().resident_kib
            begun = time.monotonic()
            for first, last in _tenths(_WARM, asked.exchanges):
                await _call(proxy, first, last)
                mib = usage.sample().resident_kib / 1024
                passed = time.monotonic() - begun
                print(f"{last:9} exchanges, {passed:5.0f} s: {mib:.1f} MiB", flush=True)
            seconds = time.monotonic() - begun
            usage.samples.append(usage.sample())
            async with session.get("/inspector/rows") as response:
                rows = json.loads(await response.read())["rows"]
        watching.cancel()
        reading_away.cancel()
    upstream.close()
    most = max(sample.resident_kib for sample in usage.samples)
    print(
        f"{asked.exchanges} exchanges, {asked.exchanges * asked.content / 1e9:.1f} GB of content,"
        f" {asked.readers} pages open, {seconds:.0f} s\n"
        f"resident: {idle / 1024:.1f} MiB idle, {warm / 1024:.1f} after {_WARM} exchanges,"
        f" {most / 1024:.1f} at most, {usage.samples[-1].resident_kib / 1024:.1f} at the end;"
        f" the ring's budget is {BUDGET_KIB / 1024:.0f} MiB"
    )
    return _faults(rows, most - idle, asked.exchanges)


def _faults(rows: list[dict[str, object]], growth_kib: int, exchanges: int) -> list[str]:
    faults = []
    # Object overhead and the allocator's gaps take as much again.
    if growth_kib > 2 * BUDGET_KIB:
        faults.append(f"memory has grown by {growth_kib / 1024:.1f} MiB")
    if len(rows) != min(MOST_EXCHANGES, exchanges):
        faults.append(f"the table has {len(rows)} rows")
    if not all(row["state"] == "over" for row in rows):
        faults.append("some rows are not over")
    numbers = [int(str(row["path"]).split("/")[3].partition("?")[0]) for row in rows]
    if max(numbers) != exchanges - 1:
        faults.append(f"the newest row is number {max(numbers)}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="inspector-memory", description=__doc__)
    parser.add_argument("--exchanges", type=int, default=1_000_000)
    parser.add_argument("--content", type=int, default=10_000, help="bytes of each response")
    parser.add_argument("--readers", type=int, default=1, help="pages that follow")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = asyncio.run(
            run(Asked(asked.exchanges, asked.content, asked.readers), Path(directory))
        )
    print("\n".join(f"FAULT {fault}" for fault in found) or "within the budget")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
