"""Disturbances of a working proxy: its upstream is replaced or dies, its file changes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from programs.soak.upstream import Generation, Received
from programs.soak.visitor import Outcome, Visit
from tests.policies import PAGE

# An interrupted visitor needs a moment to find the next generation.
_AFTERMATH_SECONDS = 1.0
_OUTAGE_SECONDS = 0.1


class Interval(NamedTuple):
    """When something was going on, in the loop's time."""

    began: float
    ended: float

    def touches(self, visit: Visit) -> bool:
        return visit.began <= self.ended and visit.ended >= self.began


class Upstream:
    """An upstream that keeps running while its generations come and go."""

    def __init__(self) -> None:
        self.received = Received()
        self.replaced: list[Interval] = []
        self.crashed: list[Interval] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._generation = Generation(self.received, self._listener)
        self._turn = asyncio.Lock()

    @property
    def port(self) -> int:
        port = self._listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._generation.start()
        try:
            yield
        finally:
            await self._generation.retire()
            self._listener.close()

    async def replace(self) -> None:
        """Let the next generation take over, as in a rolling restart."""
        async with self._turn:
            began = asyncio.get_running_loop().time()
            old, self._generation = self._generation, Generation(self.received, self._listener)
            await self._generation.start()
            await old.retire()
            self.replaced.append(self._interval(began))

    async def crash(self) -> None:
        """Stop in the middle of everything, and come back a moment later."""
        async with self._turn:
            began = asyncio.get_running_loop().time()
            await self._generation.crash()
            await asyncio.sleep(_OUTAGE_SECONDS)
            self._generation = Generation(self.received, self._listener)
            await self._generation.start()
            self.crashed.append(self._interval(began))

    def explains(self, visit: Visit) -> bool:
        """Whether the upstream may be the reason why an exchange failed or was cut.

        Nothing excuses a wrong response. A crash excuses a failure. A replacement excuses the
        failure of a request that a proxy must not repeat, which may meet a closing connection.
        """
        if visit.outcome is Outcome.WRONG:
            return False
        crashed = any(each.touches(visit) for each in self.crashed)
        replaced = any(each.touches(visit) for each in self.replaced)
        return crashed or (replaced and not visit.repeatable)

    def _interval(self, began: float) -> Interval:
        return Interval(began, asyncio.get_running_loop().time() + _AFTERMATH_SECONDS)


class EditedFile:
    """An allowlist file that is edited all the time, sometimes badly."""

    def __init__(self, directory: Path, upstream: Upstream) -> None:
        self.path = directory / "corsproxy.yaml"
        self._upstream = upstream
        self.edits = 0
        self.path.write_text(self._text(0))

    @property
    def is_broken(self) -> bool:
        return self.edits % 3 == 2

    def edit(self) -> None:
        """Save another version; every third one is broken."""
        self.edits += 1
        text = "upstream: [\n" if self.is_broken else self._text(self.edits)
        saved = self.path.with_suffix(".new")
        saved.write_text(text)
        saved.replace(self.path)

    def _text(self, number: int) -> str:
        return (
            f"upstream: http://127.0.0.1:{self._upstream.port}\n"
            "log: {requests: none}\n"
            "cors:\n"
            "  allow_headers: [content-type]\n"
            f"  allow_origins: ['{PAGE}', 'https://app{number}.example.com']\n"
        )
