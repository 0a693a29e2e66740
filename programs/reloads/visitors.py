"""Clients that check every response against the versions of the file that it may come from."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from programs.reloads.judge import Judge, Seen
from programs.reloads.versions import UNLISTED, Marks, marks_of, page_of
from tests.fakes import Client, CutShortError, Reply, get
from tests.policies import PAGE

PREFLIGHT = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type")
QUICK = ("actual", "actual", "preflight", "own", "unlisted")
_LONGEST_PAUSE = 0.004


@dataclass
class Versions:
    """What is known about the file at any moment."""

    in_force: int = 1
    """The last version that the proxy has reported as adopted."""
    saved: int = 1
    """The last version that was written, or is being written."""


@dataclass
class Times:
    """How long exchanges took, in milliseconds."""

    values: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        values = sorted(self.values)
        return values[min(int(len(values) * percent / 100), len(values) - 1)]

    def __str__(self) -> str:
        return (
            f"{len(self.values)} checked exchanges: p50 {self.percentile(50):.1f} ms,"
            f" p99 {self.percentile(99):.1f} ms, at most {max(self.values):.1f} ms"
        )


class Visitor:
    """Makes one exchange after the other, on one connection."""

    def __init__(self, number: int, port: int, versions: Versions, judge: Judge) -> None:
        self._number = number
        self._port = port
        self._versions = versions
        self._judge = judge
        self._choose = random.Random(number)

    async def come(
        self, kinds: tuple[str, ...], over: asyncio.Event, times: Callable[[], Times]
    ) -> None:
        """Make exchanges until `over`; `times` gets the duration of each."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        loop = asyncio.get_running_loop()
        while not over.is_set():
            taken, began = times(), loop.time()
            if not await self._visit(client, self._choose.choice(kinds)):
                await client.close()
                client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
            taken.values.append((loop.time() - began) * 1000)
            await asyncio.sleep(self._choose.random() * _LONGEST_PAUSE)
        await client.close()

    async def _visit(self, client: Client, kind: str) -> bool:
        """Make one exchange; False if the connection has gone."""
        versions = self._versions
        floor, own = versions.in_force, versions.saved if kind == "own" else None
        asked = _request(kind, own)
        failure, marks = "", Marks({})
        try:
            await client.send(asked)
            reply = await client.reply("GET")
        except (CutShortError, ConnectionError, TimeoutError) as error:
            failure = f"lost: {error!r} {error.__cause__!r}"
        else:
            try:
                _check_status(kind, reply)
                marks = marks_of(reply)
            except (AssertionError, ValueError) as error:
                failure = f"wrong: {error}"
        seen = Seen(kind, self._number, floor, versions.saved, marks, own, failure)
        self._judge.note(seen)
        return not failure.startswith("lost")


def _request(kind: str, own: int | None) -> bytes:
    if kind == "preflight":
        return get("/api/item", *PREFLIGHT, method="OPTIONS")
    if kind == "slow":
        return get("/slow/item")
    origins = {"own": page_of(own or 0), "unlisted": UNLISTED}
    return get("/api/item", origin=origins.get(kind, PAGE))


def _check_status(kind: str, reply: Reply) -> None:
    wanted = {"preflight": (204,), "unlisted": (403,), "own": (200, 403)}.get(kind, (200,))
    assert reply.status in wanted, f"status {reply.status}"
