"""Measuring: one sample of one peer, and the statistics of several samples."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.cache import PROJECT, system_program
from benchmarks.machine import Cores, CoreTime, read_core_time
from benchmarks.peer import ORIGIN
from benchmarks.processes import Process, ThreadTimes

LOAD_MARGIN_SECONDS = 30.0
MOST_ERRORS = 0.001
"""A larger share of failed requests disqualifies: errors are fast to serve."""
IDLE_PEER = 0.9
"""Below this share of its core, a peer did not limit the rate."""
DISTURBED = 0.05
"""If others use more than this share of the peer's core, a sample is doubtful."""


class LoadError(Exception):
    """The load generator failed; the message has its last output."""


class Sample(NamedTuple):
    """One measurement. Rates are per second; shares are of one core, 0 to 1."""

    value: float
    cpu_seconds: float | None = None
    """CPU time per unit of work, if counted: the peer's own and that of the network
    interrupts on its core."""
    errors: int = 0
    peer_share: float | None = None
    load_share: float | None = None
    upstream_share: float | None = None
    others_share: float | None = None
    """Share of the peer's core used by other programs."""


class Counted(NamedTuple):
    """What a load generator counted."""

    work: float
    """Requests, messages or bytes."""
    seconds: float
    errors: int
    bytes: float = 0.0
    """Received by the load generator."""
    p50: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True)
class Watch:
    """The three processes of a measurement and their cores."""

    peer: Process | None
    upstream: Process
    cores: Cores


class Usage:
    """How the cores were used since this object was created."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._cores = self._read()
        self._threads = watch.peer.thread_times() if watch.peer else {}

    def sample(self, counted: Counted, value: float) -> Sample:
        """Return the sample of `value`, with each party's usage since the start."""
        seconds = counted.seconds
        peer, load, upstream = (
            now.since(before) for now, before in zip(self._read(), self._cores, strict=True)
        )
        load_share = min(1.0, load.busy / seconds)
        upstream_share = min(1.0, upstream.busy / seconds)
        if self._watch.peer is None:
            return Sample(value, None, counted.errors, None, load_share, upstream_share, None)
        others = self._others_seconds(self._watch.peer)
        used = max(0.0, peer.busy - others)
        return Sample(
            value=value,
            cpu_seconds=used / counted.work if counted.work else None,
            errors=counted.errors,
            peer_share=min(1.0, used / seconds),
            load_share=load_share,
            upstream_share=upstream_share,
            others_share=(others + peer.stolen) / seconds,
        )

    def _others_seconds(self, peer: Process) -> float:
        """Return how long the peer's busiest thread waited for other programs.

        The kernel may or may not charge a program for the interrupts that it caused, so the core's
        time minus the peer's would mean nothing.
        """
        none = ThreadTimes(0.0, 0.0)
        times = []
        for thread, now in peer.thread_times().items():
            before = self._threads.get(thread, none)
            times.append(ThreadTimes(now.ran - before.ran, now.waited - before.waited))
        times.sort()
        return max(0.0, times[-1].waited - sum(time.ran for time in times[:-1])) if times else 0.0

    def _read(self) -> list[CoreTime]:
        return [read_core_time(core) for core in self._watch.cores]


def run_wrk(
    url: str,
    *,
    core: int,
    connections: int,
    seconds: float,
    method: str,
    fields: Mapping[str, str] | None = None,
    upload_bytes: int = 0,
    varied: int = 0,
) -> Counted:
    """Load `url` with wrk; the work counted is requests. `varied` distinct requests are sent in
    turn; by default, one is repeated.

    Raises LoadError.
    """
    sent = [word for name, value in (fields or {}).items() for word in ("-H", f"{name}: {value}")]
    output = run_load(
        [
            *[system_program("wrk"), "-t1", f"-c{connections}", f"-d{seconds:g}s"],
            *["--timeout", "30s", "-s", str(PROJECT / "benchmarks" / "load.lua"), *sent, url],
            *["--", method, ORIGIN, str(upload_bytes), str(varied)],
        ],
        core,
        seconds,
    )
    if output["errors"] > MOST_ERRORS * output["requests"]:
        raise LoadError(f"{output['errors']:.0f} of {output['requests']:.0f} requests failed")
    return Counted(
        work=output["requests"],
        seconds=output["microseconds"] / 1e6,
        errors=int(output["errors"]),
        bytes=output["bytes"],
        p50=output["p50"] / 1e6,
        p99=output["p99"] / 1e6,
    )


def run_websockets(port: int, path: str, *, core: int, connections: int, seconds: float) -> Counted:
    """Load a WebSocket echo; the work counted is round trips.

    Raises LoadError.
    """
    program = [sys.executable, "-m", "benchmarks.websocket_load"]
    output = run_load(
        [*program, str(port), path, ORIGIN, str(connections), str(seconds)], core, seconds
    )
    if output["errors"]:
        raise LoadError(f"{output['errors']:.0f} of {connections} WebSockets broke")
    return Counted(output["messages"], output["seconds"], 0)


def run_load(argv: Sequence[str], core: int, seconds: float) -> dict[str, float]:
    """Run a load generator on `core` and return the JSON object of its last line.

    Raises LoadError.
    """
    try:
        result = subprocess.run(
            ["taskset", "-c", str(core), *argv],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + LOAD_MARGIN_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"no end {LOAD_MARGIN_SECONDS:g} s after the last second") from error
    except subprocess.CalledProcessError as error:
        words = str(error.stderr or error.stdout).strip().splitlines()
        raise LoadError(words[-1] if words else f"status {error.returncode}") from error
    counted: dict[str, float] = json.loads(result.stdout.strip().splitlines()[-1])
    return counted


@dataclass(frozen=True)
class Series:
    """The samples of one peer in one scenario, one per round."""

    samples: tuple[Sample, ...]

    @property
    def median(self) -> float:
        return statistics.median(sample.value for sample in self.samples)

    @property
    def low(self) -> float:
        return min(sample.value for sample in self.samples)

    @property
    def high(self) -> float:
        return max(sample.value for sample in self.samples)

    @property
    def spread(self) -> float:
        """The distance from the lowest to the highest value, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0

    @property
    def errors(self) -> int:
        return sum(sample.errors for sample in self.samples)

    def doubts(self) -> list[str]:
        """Return the doubts about these samples, in words; empty if there are none."""
        doubts = []
        if self.errors:
            doubts.append(f"{self.errors} errors")
        shares = [s.peer_share for s in self.samples if s.peer_share is not None]
        if shares and statistics.median(shares) < IDLE_PEER:
            doubts.append(f"used {statistics.median(shares):.0%} of its core")
        others = [s.others_share for s in self.samples if s.others_share is not None]
        if others and max(others) > DISTURBED:
            doubts.append(f"others used up to {max(others):.0%} of its core")
        return doubts
