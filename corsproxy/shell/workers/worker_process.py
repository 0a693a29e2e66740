"""A worker process as its supervisor sees it: started, asked, and certainly ended.

It is the same command once more, with the same interpreter and the same environment, and
finds in a variable that it is to be a worker. It starts from nothing, not from a copy of
this process: threads and event loops do not survive being copied.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from corsproxy.errors import StartError
from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.workers.channel import CHANNEL_VARIABLE, SUPERVISORS_SIGNALS, Questions
from corsproxy.shell.workers.line_relay import LineRelay

_SIGNALS = {each.value: each.name for each in signal.Signals}
# From the end of the channel to the end of the process and of its lines.
_LAST_SECONDS = 2.0


class WorkerProcess:
    """One process, from its start to its end."""

    def __init__(
        self, process: subprocess.Popen[bytes], questions: Questions, relay: LineRelay
    ) -> None:
        self._process = process
        self.questions = questions
        self._relay = relay

    @classmethod
    async def start(cls, sockets: Iterable[socket.socket], sink: Sink) -> Self:
        """Start a worker that inherits `sockets`, by the numbers that they have here, and
        whose lines go to `sink`. Raises StartError."""
        ours, theirs = socket.socketpair()
        lines, log = os.pipe()
        try:
            process = _spawn(theirs, log, sockets)
        except OSError as error:
            os.close(lines)
            ours.close()
            raise StartError(f"cannot start a worker: {error.strerror or error}") from error
        finally:
            os.close(log)
            theirs.close()
        return cls(process, await Questions.connect(ours), LineRelay(lines, sink))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> str:
        """Wait for the end, and say how it came about: "exit code 3", "signal SIGKILL".

        A process that says nothing more but does not end is ended.
        """
        await self.questions.lost()
        try:
            status = await asyncio.to_thread(self._process.wait, _LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            status = await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(self._relay.join, _LAST_SECONDS)
        return f"exit code {status}" if status >= 0 else f"signal {_SIGNALS.get(-status, -status)}"

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()


def _spawn(
    channel: socket.socket, log: int, sockets: Iterable[socket.socket]
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, CHANNEL_VARIABLE: str(channel.fileno())}
    # One process speaks to the service manager.
    environment.pop("NOTIFY_SOCKET", None)
    with _blocked(SUPERVISORS_SIGNALS):
        return subprocess.Popen(  # noqa: S603 - the command that runs already
            [sys.executable or sys.orig_argv[0], *sys.orig_argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            env=environment,
            pass_fds=[channel.fileno(), *(each.fileno() for each in sockets)],
        )


@contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Block signals for a moment. What is started in it begins with them blocked, and can
    decide in peace what to do about them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
