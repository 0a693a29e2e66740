"""A worker process as its supervisor sees it: started, asked, and reliably ended.

It runs the same command with the same interpreter and environment; a variable tells it to
be a worker. It is a new process and not a fork, because threads and event loops do not
survive one.
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
# Seconds that a process gets to end once its channel is closed, and then its log lines.
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
        """Start a worker that inherits `sockets` under their descriptor numbers here. Its log
        lines go to `sink`. Raises StartError."""
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
        """Wait for the end and return how it ended: "exit code 3", "signal SIGKILL".

        A process that has closed its end of the channel but does not end is killed.
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
        """Kill it, if it is still running."""
        self._process.kill()


def _spawn(
    channel: socket.socket, log: int, sockets: Iterable[socket.socket]
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, CHANNEL_VARIABLE: str(channel.fileno())}
    # Only the supervisor notifies the service manager.
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
    """Block signals in the `with` block. A process started there begins with them blocked, so
    it can set its handlers before any arrive."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
