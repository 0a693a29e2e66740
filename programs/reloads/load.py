"""wrk: as many requests as the proxy can answer, each one checked."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.browser.programs import DEADLINE_S, program
from tests.policies import PAGE

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("wrk.lua")
_LONGEST_SECONDS = 24 * 3600


class Load(NamedTuple):
    """wrk's results; times in milliseconds."""

    requests: int
    seconds: float
    lost: int
    """Connections that were refused, reset or silent."""
    failed: int
    """Responses other than 200."""
    mixed: int
    """Responses whose parts came from different versions of the file."""
    p50: float
    p99: float
    most: float

    def __str__(self) -> str:
        return (
            f"wrk {self.requests} requests at {self.requests / self.seconds:.0f} a second:"
            f" p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms, at most {self.most:.1f} ms;"
            f" {self.lost} lost, {self.failed} failed, {self.mixed} mixed"
        )


class Loading:
    """A running wrk, and at the end its results."""

    def __init__(self) -> None:
        self._seen: Load | None = None

    @property
    def seen(self) -> Load:
        assert self._seen is not None, "wrk is still at work"
        return self._seen

    async def finish(self, process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE_S):
            said, complaints = await process.communicate()
        try:
            found = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            raise AssertionError(f"wrk said {said!r} {complaints!r}") from None
        times = {name: found.pop(name) / 1000 for name in ("p50", "p99", "most")}
        self._seen = Load(**found, **times)


@asynccontextmanager
async def loading(url: str) -> AsyncIterator[Loading]:
    """Load `url` until the context is left."""
    arguments = ["--threads=1", f"--connections={CONNECTIONS}", f"--duration={_LONGEST_SECONDS}s"]
    process = await asyncio.create_subprocess_exec(
        program("wrk"),
        *arguments,
        f"--script={_SCRIPT}",
        url,
        "--",
        PAGE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    loading_ = Loading()
    try:
        yield loading_
        await loading_.finish(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """Run the upstream in its own process; yields its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "programs.reloads.upstream", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.communicate()
