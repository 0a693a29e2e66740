"""Many deliberately slow clients at a proxy that has others to serve.

`python -m programs.soak.siege --clients 10000` does it with the command's own limits; the
test does it with fewer clients and shorter limits.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from programs.soak.usage import Usage
from tests.fakes import CutShortError, get
from tests.peers import PeerConnection, RawPeer
from tests.policies import PAGE
from tests.process import FREE_PORTS, started
from tests.running import Running

SLOW = ("download", "body", "head")
"""The kinds of slow clients; the one that is tolerated longest comes first."""
_DRIBBLE_SECONDS = 1.0
_PIECE = b"x" * 100_000
_PIECES = 400  # far more than the kernel buffers for a client that reads nothing
_HEALTHY = 8
_PATIENCE_SECONDS = 5.0
_AT_A_TIME = 200


class Waits(NamedTuple):
    """How long the proxy waits for each kind of slow client, in seconds."""

    head: float
    body: float
    download: float


class SlowClient(asyncio.Protocol):
    """A client that sends a head byte by byte, stops within a body, or reads nothing."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.answer = b""
        self.lost_after: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._began = self._loop.time()
        if self.kind == "head":
            self._transport.write(get("/")[:-4] + b"\r\nX-Slow: ")
            self._dribble()
        elif self.kind == "body":
            self._transport.write(get("/", "Content-Length: 1000", method="POST") + b"x")
        else:
            self._transport.write(get("/large"))
            self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_after = self._loop.time() - self._began
        if self._timer is not None:
            self._timer.cancel()

    def leave(self) -> None:
        self._transport.abort()

    @property
    def is_held(self) -> bool:
        """Whether the proxy still keeps the connection, as far as the client can see."""
        return self.lost_after is None

    def _dribble(self) -> None:
        self._transport.write(b"x")
        self._timer = self._loop.call_later(_DRIBBLE_SECONDS, self._dribble)


@dataclass
class Report:
    """The results of a siege."""

    connected: int = 0
    most_held: int = 0
    healthy: list[float] = field(default_factory=list)
    """How long each healthy request took, in seconds."""
    failed: list[str] = field(default_factory=list)
    """Healthy requests that got another response."""
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The responses to slow clients, by their kind."""
    waits: dict[str, tuple[float, float]] = field(default_factory=dict)
    """How long the proxy kept each kind: the shortest and the longest time."""
    held_after: int = 0
    """How many exchanges were left at the end."""
    memory_kib: tuple[int, int, int] = (0, 0, 0)
    """Before, at most, and at the end."""
    descriptors: tuple[int, int, int] = (0, 0, 0)

    def lines(self) -> list[str]:
        took = sorted(self.healthy) or [0.0]
        before, most, end = (kib / 1024 for kib in self.memory_kib)
        each = (self.memory_kib[1] - self.memory_kib[0]) / max(self.connected, 1)
        median, most_of_them = (took[len(took) * share // 100] * 1000 for share in (50, 99))
        return [
            f"{self.connected} slow clients connected, {self.most_held} held at a time",
            f"memory {before:.1f} MiB, at most {most:.1f}, {each:.1f} KiB for each; then {end:.1f}",
            "descriptors {}, at most {}, then {}".format(*self.descriptors),
            f"healthy: {len(self.healthy)} answered, {len(self.failed)} failed",
            f"healthy: median {median:.1f} ms, 99 % within {most_of_them:.1f} ms",
            *(f"{kind}: {count} x {said}" for (kind, said), count in self.statuses.items()),
            *(f"{kind}: let go after {a:.1f} to {b:.1f} s" for kind, (a, b) in self.waits.items()),
            f"{self.held_after} exchanges left",
            *self.failed[:5],
        ]


async def siege(proxy: Running, clients: int, waits: Waits) -> Report:
    """Keep the proxy busy until it has dropped every slow client."""
    report, usage = Report(), Usage(proxy.command.process.pid)
    over = asyncio.Event()
    watching = asyncio.create_task(usage.watch())
    healthy = [asyncio.create_task(_visit(proxy, over, report)) for _ in range(_HEALTHY)]
    slow: list[SlowClient] = []
    kinds = iter([kind for kind in SLOW for _ in range(clients // len(SLOW))])
    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_A_TIME):
            tasks.create_task(_connect(proxy.port, kinds, slow))
    report.connected = len(slow)
    # A client that reads nothing does not notice its end: the proxy is asked instead. Its timeout
    # starts over whenever the kernel accepts more for it.
    patience = 4 * max(waits) + _PATIENCE_SECONDS
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while True:
                held = report.held_after = int(await proxy.metric("corsproxy_in_flight"))
                waiting = Counter(each.kind for each in slow if each.is_held)
                report.most_held = max(report.most_held, held + waiting["head"])
                besieged = waiting["head"] or waiting["body"] or held > _HEALTHY
                # Healthy clients leave when they may be the only ones left; any others are slow.
                if not besieged and not over.is_set():
                    over.set()
                    await asyncio.gather(*healthy)
                elif besieged or held:
                    await asyncio.sleep(0.2)
                else:
                    break
    over.set()
    await asyncio.gather(*healthy)
    _note(report, slow)
    for each in slow:
        each.leave()
    await asyncio.sleep(0.5)
    watching.cancel()
    samples = [*usage.samples, usage.sample()]
    memory, descriptors = ([each[index] for each in samples] for index in (1, 2))
    report.memory_kib = (int(memory[0]), int(max(memory)), int(memory[-1]))
    report.descriptors = (int(descriptors[0]), int(max(descriptors)), int(descriptors[-1]))
    return report


async def _connect(port: int, kinds: Iterator[str], slow: list[SlowClient]) -> None:
    loop = asyncio.get_running_loop()
    for kind in kinds:
        sock = socket.socket()
        sock.setblocking(False)
        if kind == "download":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(ConnectionError):
            await loop.sock_connect(sock, ("127.0.0.1", port))
            _, client = await loop.create_connection(partial(SlowClient, kind), sock=sock)
            slow.append(client)


async def _visit(proxy: Running, over: asyncio.Event, report: Report) -> None:
    """Send requests repeatedly, each on a new connection."""
    loop = asyncio.get_running_loop()
    while not over.is_set():
        began = loop.time()
        try:
            reply = await proxy.ask(get("/"))
        except (OSError, CutShortError) as error:
            report.failed.append(repr(error))
        else:
            if (reply.status, reply.grant, reply.content) == (200, PAGE, b"ok"):
                report.healthy.append(loop.time() - began)
            else:
                report.failed.append(f"{reply.status} {reply.content[:200]!r}")
        await asyncio.sleep(0.02)


def _note(report: Report, slow: list[SlowClient]) -> None:
    for each in slow:
        said = each.answer.split(b"\r\n")[0].decode() or "nothing"
        report.statuses[each.kind, said] += 1
    for kind in SLOW:
        lost = [each.lost_after for each in slow if each.kind == kind and each.lost_after]
        if lost:
            report.waits[kind] = (min(lost), max(lost))


async def serve(peer: PeerConnection) -> None:
    """The upstream: small responses, and large ones."""
    while True:
        head = await peer.head()
        if b"\r\ncontent-length: " in head.lower():
            await peer.closed()
            return
        pieces = _PIECES if head.startswith(b"GET /large") else 1
        piece = _PIECE if pieces > 1 else b"ok"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(piece)))
        for _ in range(pieces):
            await peer.send(piece)


async def _besiege(clients: int) -> Report:
    more = f"limits: {{connections: {clients + 100}, in_flight: {clients}}}\n"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with RawPeer(serve) as upstream:
            (directory / "corsproxy.yaml").write_text(
                f"upstream: http://127.0.0.1:{upstream.port}\ncors:\n  allow_origins: [{PAGE}]\n"
                f"{more}log: {{requests: none}}\n"
            )
            async with started(*FREE_PORTS, cwd=directory) as command:
                proxy = Running(command, await command.event("ready"))
                return await siege(proxy, clients, Waits(10, 30, 60))


def main() -> int:
    parser = argparse.ArgumentParser(prog="siege", description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000)
    report = asyncio.run(_besiege(parser.parse_args().clients))
    print("\n".join(report.lines()))
    return 1 if report.failed or report.held_after else 0


if __name__ == "__main__":
    sys.exit(main())
