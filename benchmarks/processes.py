"""Child processes on one core: started, measured and reliably ended.

Every process runs in its own session, so that its descendants are found and none outlives the
benchmark; if the benchmark itself is killed, the kernel ends them. Linux only: it reads /proc.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

STOP_SECONDS = 5.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessError(Exception):
    """A process did not start, or ended by itself; the message has its last output."""


class ThreadTimes(NamedTuple):
    """A thread's times on its core, in seconds."""

    ran: float
    waited: float
    """Ready to run while others used the core."""


class Process:
    """A running program with its descendants; a context manager that ends them."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        core: int,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start `argv` on `core`; its output goes to the file `log`.

        Raises ProcessError if the program cannot be executed.
        """
        self._log = log
        prefix = ["taskset", "-c", str(core)]
        if shutil.which("setpriv") is not None:
            prefix = ["setpriv", "--pdeathsig", "KILL", "--", *prefix]
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        try:
            with log.open("wb") as output:
                self._popen = subprocess.Popen(
                    [*prefix, *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProcessError(f"cannot run {argv[0]}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and its descendants: ask, wait, then kill. May be called again."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._popen.pid, number)
            except ProcessLookupError:
                break
            try:
                self._popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        self._popen.wait(STOP_SECONDS)

    def check_alive(self) -> None:
        """Raise ProcessError if the process has ended."""
        status = self._popen.poll()
        if status is not None:
            raise ProcessError(f"ended with status {status}: {self._last_words()}")

    def thread_times(self) -> dict[int, ThreadTimes]:
        """Return the times of each living thread of all the processes, by its id."""
        times = {}
        for process in self._directories():
            for task in _entries(process / "task"):
                try:
                    ran, waited, _slices = (task / "schedstat").read_text().split()
                except OSError:  # it ended meanwhile
                    continue
                times[int(task.name)] = ThreadTimes(int(ran) / 1e9, int(waited) / 1e9)
        return times

    def rss_bytes(self) -> int:
        """Return the resident memory, summed over the processes."""
        total = 0
        for process in self._directories():
            try:
                total += int((process / "statm").read_text().split()[1]) * PAGE_BYTES
            except OSError:  # it ended meanwhile
                continue
        return total

    def _directories(self) -> Iterator[Path]:
        """Yield the directory in /proc of every process of the session."""
        session = str(self._popen.pid)
        for process in _entries(Path("/proc")):
            try:
                text = (process / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            # The program's name is in parentheses and may contain anything.
            if text.rpartition(")")[2].split()[3] == session:
                yield process

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "it printed nothing"


def _entries(directory: Path) -> list[Path]:
    """Return the numbered entries of a directory of /proc; none if it is gone."""
    try:
        return [Path(entry.path) for entry in os.scandir(directory) if entry.name.isdigit()]
    except OSError:
        return []


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(process: Process, port: int, seconds: float) -> None:
    """Wait until something accepts connections on `port`.

    Raises ProcessError if the process ends first, or after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.check_alive()
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.002)
        else:
            return
    raise ProcessError(f"did not listen within {seconds:g} s")


@contextmanager
def signals_as_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that every `with` block is left."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
