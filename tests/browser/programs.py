"""Programs in separate processes: started on demand, read by lines, always stopped."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

DEADLINE_S = 30.0
"""How long anything may take that should come at once."""


def program(name: str) -> str:
    """Return the path of a program that the tests drive; fails where it is missing."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.fail(
            f"the tests need {name}, which is not installed: "
            f"run `make test` as root once, or `sudo apt-get install {name}`",
            pytrace=False,
        )
    return path


def httpbin_gunicorn() -> str:
    """Return the path of the gunicorn that has httpbin beside it; fails where it is missing.

    Both have an environment of their own: httpbin's greenlet is not Playwright's.
    """
    own = os.environ.get("HTTPBIN_ENVIRONMENT")
    environment = Path(own) if own else Path(sys.prefix) / "httpbin"
    gunicorn = environment / "bin" / "gunicorn"
    if not gunicorn.is_file():
        pytest.fail(
            f"the browser tests need an environment with httpbin and gunicorn in {environment}: "
            f"run `make test` once, or `python -m venv {environment} && "
            f"{environment}/bin/pip install httpbin gunicorn`, "
            "or let HTTPBIN_ENVIRONMENT say where it is",
            pytrace=False,
        )
    return str(gunicorn)


class Program:
    """A program in a process of its own, with its output as lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._grown = asyncio.Condition()
        assert process.stdout is not None
        self._reader = asyncio.create_task(self._read(process.stdout))

    async def until(self, wanted: Callable[[str], bool], deadline_s: float = DEADLINE_S) -> str:
        """Return the first line that is `wanted`; waits for it, but not for ever."""
        try:
            async with asyncio.timeout(deadline_s), self._grown:
                await self._grown.wait_for(
                    lambda: self._reader.done() or any(map(wanted, self.lines))
                )
        except TimeoutError:
            pass
        for line in self.lines:
            if wanted(line):
                return line
        raise AssertionError("the line never came; the output was:\n" + "\n".join(self.lines))

    async def ends(self) -> int:
        """Wait until it ends by itself, but not for ever; returns its exit code."""
        async with asyncio.timeout(DEADLINE_S):
            code = await self._process.wait()
        await self._reader
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 5.0) -> int:
        """Ask it to stop with a signal and return its exit code."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        try:
            async with asyncio.timeout(timeout_s):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            code = await self._process.wait()
        await self._reader
        return code

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._grown:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._grown.notify_all()
        async with self._grown:
            self._grown.notify_all()


@asynccontextmanager
async def running(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
) -> AsyncIterator[Program]:
    """Run a program; stdout and stderr become its `lines`. It is stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
        pass_fds=pass_fds,
        cwd=cwd,
        limit=1 << 20,
    )
    program_ = Program(process)
    try:
        yield program_
    finally:
        await program_.stop()
