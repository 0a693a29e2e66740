"""A person's terminal, a real pseudo-terminal, with a program in it."""

import asyncio
import codecs
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.peers import DEADLINE_SECONDS
from tests.process import environment

# A session's first process that opens a terminal gets it as its own, and is told when it
# hangs up.
_ON_TERMINAL = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR));"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
COMMAND = (sys.executable, "-m", "corsproxy")
_STYLES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """What is typed, and what is seen, colours left out."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.raw = ""
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = True

    @property
    def seen(self) -> str:
        return _STYLES.sub("", self.raw)

    async def shows(self, text: str, times: int = 1) -> str:
        """Wait until `text` has been seen that often; returns its line."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.seen.count(text) < times:
                self.raw += await asyncio.to_thread(self._read)
        return next(line for line in reversed(self.seen.splitlines(keepends=True)) if text in line)

    async def matches(self, pattern: re.Pattern[str], start: int = 0) -> re.Match[str]:
        """Wait until what is seen, from `start` on, has the pattern."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (found := pattern.search(self.seen, start)) is None:
                self.raw += await asyncio.to_thread(self._read)
        return found

    def _read(self) -> str:
        try:
            return self._decoder.decode(os.read(self._descriptor, 65536))
        except OSError as error:
            raise AssertionError(f"it ended, and showed {self.seen}") from error

    async def reads_on(self) -> None:
        """See everything that is shown from now on, until it hangs up or ends."""
        with suppress(AssertionError):
            while True:
                self.raw += await asyncio.to_thread(self._read)

    def press(self, key: str) -> None:
        """Type a line."""
        self.type(f"{key}\n")

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def hang_up(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)

    async def exit_code(self) -> int:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.process.wait()

    async def end(self) -> None:
        """Kill what still runs of the program's session: a shell's jobs have groups of their
        own, and those in the background are told of no hang-up."""
        for pid in _session(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.hang_up()
        await self.process.wait()


def _session(leader: int) -> list[int]:
    """Return the processes of a session (proc(5), /proc/pid/stat)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            behind_name = path.read_text().rpartition(")")[2].split()
            if int(behind_name[3]) == leader:
                found.append(int(path.parent.name))
    return found


@asynccontextmanager
async def at_terminal(
    directory: Path, *arguments: str, program: tuple[str, ...] = COMMAND, **variables: str
) -> AsyncIterator[Terminal]:
    """Start a program in a terminal of its own; it is killed at the end."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ON_TERMINAL, *program, *arguments),
        cwd=directory,
        env=environment(TERM="xterm", **variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    terminal = Terminal(ours, process)
    try:
        yield terminal
    finally:
        await terminal.end()
