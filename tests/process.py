"""The real command in a separate process, and its output."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
DEADLINE_S = 60.0
FREE_PORTS = ("-l", "127.0.0.1:0", "--admin", "127.0.0.1:0")


def environment(**changes: str) -> dict[str, str]:
    """The tests' environment without what would change the command's mind."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CORSPROXY_")
        and name not in ("CI", "NO_COLOR", "FORCE_COLOR", "NOTIFY_SOCKET")
    }
    return {**kept, "PYTHONPATH": str(PROJECT), **changes}


class Command:
    """A started `corsproxy`, its lines of JSON read as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def event(self, name: str) -> dict[str, Any]:
        """Return the next event of that name; fails where the output ends before it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := await self.process.stdout.readline():
                found: dict[str, Any] = json.loads(line)
                self.events.append(found)
                if found["event"] == name:
                    return found
        raise AssertionError(f"no {name}; said {self.events}; {await self.complaints()}")

    async def complaints(self) -> str:
        """Return what is on stderr, once it has ended."""
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            return (await self.process.stderr.read()).decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()


@asynccontextmanager
async def started(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    program: tuple[str, str] = ("-m", "corsproxy"),
) -> AsyncIterator[Command]:
    """Start the command; it is killed at the end if it still runs.

    `program` may be ("-c", ...), to change something before the command runs.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        *arguments,
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finished(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> tuple[int, str, str]:
    """Run the command to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "corsproxy",
        *arguments,
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate(given)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
