"""One run: the same load without reloads and with them, and the results."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from programs.reloads.editors import WAYS
from programs.reloads.judge import Judge
from programs.reloads.load import Load, loading, upstream
from programs.reloads.versions import names, text_of
from programs.reloads.visitors import QUICK, Times, Versions, Visitor
from tests.process import DEADLINE_S, FREE_PORTS, Command, started
from tests.running import port_of

MOST_ADDED_MS = 50.0
_BROKEN_EVERY = 10
# Some saves are not signalled; the proxy takes longer to notice these.
_UNTOLD_EVERY, _FIRST_UNTOLD = 21, 5
_IN_A_ROW = 2
_QUICK_VISITORS = 4
_SLOW_VISITORS = 4
_EXPECTED_EVENTS = frozenset({"ready", "reloaded", "reload-refused"})
# The method that marks a version is not one that the proxy forwards, which causes this warning.
_MARK = "method-unknown"
_MOST_LINES = 20


@dataclass
class Report:
    """The results of a run."""

    routes: int
    judge: Judge = field(default_factory=Judge)
    faults: list[str] = field(default_factory=list)
    saves: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """From the signal to the proxy's report, for each signalled reload."""
    noticed: list[float] = field(default_factory=list)
    """From the save to the proxy's report, for each reload that it noticed by itself."""
    gaps: int = 0
    """How often the proxy looked between the two steps of a save."""
    calm: Times = field(default_factory=Times)
    busy: Times = field(default_factory=Times)
    calm_load: Load | None = None
    busy_load: Load | None = None

    def conclude(self, slack: float) -> None:
        """Turn the measurements into faults; see `reload_often` for `slack`."""
        self.faults += self.judge.faults
        assert self.calm_load is not None
        assert self.busy_load is not None
        for when, load in (("without", self.calm_load), ("with", self.busy_load)):
            if load.lost or load.failed or load.mixed or not load.requests:
                self.faults.append(f"{when} reloads: {load}")
        most = MOST_ADDED_MS + slack * max(self.calm_load.p99, self.calm.percentile(99))
        for who, added in (
            ("wrk's", self.busy_load.p99 - self.calm_load.p99),
            ("the checked", self.busy.percentile(99) - self.calm.percentile(99)),
        ):
            if added >= most:
                self.faults.append(f"{who} p99 is {added:.1f} ms later with reloads")

    def lines(self) -> list[str]:
        """Return the summary for people."""
        ways = ", ".join(f"{count} {way}" for way, count in sorted(self.saves.items()))
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.judge.counts.items()))
        lines = [
            f"saves of a file with {self.routes} routes: {ways}",
            f"told by SIGHUP: {_spread(self.seconds)}; noticed: {_spread(self.noticed)}",
            f"looked between the steps of a save: {self.gaps} times",
            f"exchanges: {kinds}; decided by {len(self.judge.versions)} versions of the file",
            f"without reloads: {self.calm_load}",
            f"                 {self.calm}",
            f"with reloads:    {self.busy_load}",
            f"                 {self.busy}",
        ]
        faults = [f"FAULT {fault}" for fault in self.faults[:_MOST_LINES]]
        return [*lines, *faults, f"{len(self.faults)} faults"]


def _is_gap(event: Mapping[str, object], way: str) -> bool:
    """Whether the proxy, on an earlier signal, found the old file gone and no new one yet."""
    return way == "moved away" and event["reason"] == "no such file or directory"


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    return f"{len(seconds)} in {median(seconds):.2f} s each, at most {max(seconds):.2f} s"


class EditedFile:
    """The proxy's file, saved again and again, and the proxy's reports."""

    def __init__(self, path: Path, upstream_port: int, report: Report) -> None:
        self.path = path
        self.versions = Versions()
        self._upstream = upstream_port
        self._report = report
        path.write_text(self._text(1))

    def _text(self, number: int, *, broken: bool = False) -> str:
        return text_of(number, self._upstream, self._report.routes, broken=broken)

    def _way(self, number: int) -> str:
        return list(WAYS)[number // _IN_A_ROW % len(WAYS)]

    async def save_next(self, command: Command) -> None:
        """Save another version, and wait until the proxy has adopted or refused it."""
        number = self.versions.saved + 1
        way = self._way(number)
        broken = number % _BROKEN_EVERY == 0
        told = number % _UNTOLD_EVERY != _FIRST_UNTOLD
        text = self._text(number, broken=broken)
        if broken:
            self._report.judge.broken.add(number)
        self._report.saves[way] += 1
        self._report.saves["broken"] += broken
        self.versions.saved = number
        loop = asyncio.get_running_loop()
        began = loop.time()
        WAYS[way](self.path, text)
        if told:
            command.signal(signal.SIGHUP)
        await self._answer(command, number, "reload-refused" if broken else "reloaded")
        taken = self._report.seconds if told else self._report.noticed
        taken.append(loop.time() - began)
        if not broken:
            self.versions.in_force = number

    async def _answer(self, command: Command, number: int, wanted: str) -> None:
        assert command.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := await command.process.stdout.readline():
                event = json.loads(line)
                if event["event"] == "reload-failed" and _is_gap(event, self._way(number)):
                    self._report.gaps += 1
                elif event["event"] not in _EXPECTED_EVENTS and event.get("code") != _MARK:
                    self._report.faults.append(f"the proxy said {event}")
                if event["event"] == wanted and names(line.decode(), number):
                    return
        raise AssertionError(f"no {wanted} for version {number}")


@asynccontextmanager
async def _visitors(
    port: int, versions: Versions, judge: Judge, times: list[Times]
) -> AsyncIterator[None]:
    """Run visitors; the times of the quick ones go to the last of `times`."""
    over = asyncio.Event()
    aside = Times()
    async with asyncio.TaskGroup() as tasks:
        for number in range(_QUICK_VISITORS + _SLOW_VISITORS):
            visitor = Visitor(number, port, versions, judge)
            if number < _QUICK_VISITORS:
                tasks.create_task(visitor.come(QUICK, over, lambda: times[-1]))
            else:
                tasks.create_task(visitor.come(("slow",), over, lambda: aside))
        try:
            yield
        finally:
            over.set()


async def reload_often(
    reloads: int,
    routes: int,
    directory: Path,
    *,
    calm_seconds: float,
    workers: int = 1,
    slack: float = 0.0,
    program: tuple[str, str] = ("-m", "corsproxy"),
) -> Report:
    """Load a proxy, first undisturbed and then during `reloads` reloads.

    On a busy machine exchanges wait for other programs, and longer during a reload: `slack` is
    the permitted delay, in multiples of the undisturbed 99th percentile.
    """
    report = Report(routes)
    arguments = (*FREE_PORTS, "--workers", str(workers))
    async with upstream() as upstream_port:
        file = EditedFile(directory / "corsproxy.yaml", upstream_port, report)
        async with started(*arguments, cwd=directory, program=program) as command:
            port = port_of((await command.event("ready"))["listen"][0])
            times = [report.calm]
            async with _visitors(port, file.versions, report.judge, times):
                async with loading(f"http://127.0.0.1:{port}/api/item") as calm:
                    await asyncio.sleep(calm_seconds)
                times.append(report.busy)
                async with loading(f"http://127.0.0.1:{port}/api/item") as busy:
                    for _ in range(reloads):
                        await file.save_next(command)
            report.calm_load, report.busy_load = calm.seen, busy.seen
            command.signal(signal.SIGTERM)
            code, complaints = await command.exit_code(), await command.complaints()
            if code or complaints:
                report.faults.append(f"exit code {code}: {complaints}")
    report.conclude(slack)
    return report
