"""One soak: visitors, disturbances, and what is left at the end."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from programs.soak.disturbances import EditedFile, Upstream
from programs.soak.saboteur import Saboteur
from programs.soak.usage import Usage
from programs.soak.visitor import KINDS, Numbers, Outcome, Visit, Visitor
from tests.peers import DEADLINE_SECONDS, until
from tests.process import FREE_PORTS, Command, started
from tests.running import Running

_BAD_EVENTS = frozenset({"fault", "worker-ended", "worker-hangs", "lines-dropped"})
# A visitor pauses for at most this long between two exchanges.
_LONGEST_PAUSE = 0.02


@dataclass
class Report:
    """The results of a soak."""

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    unwell: list[Visit] = field(default_factory=list)
    """Exchanges that did not end as they should."""
    explained: int = 0
    """Exchanges that failed because the upstream was disturbed."""
    faults: list[str] = field(default_factory=list)
    """All faults."""
    once: set[int] = field(default_factory=set)
    """Exchanges whose request must not reach the upstream twice."""
    events: Counter[str] = field(default_factory=Counter)
    """The proxy's reports."""
    usage: Usage | None = None

    def note(self, visit: Visit) -> None:
        self.counts[visit.kind, visit.outcome] += 1
        if not visit.repeatable:
            self.once.add(visit.number)
        if visit.outcome is not Outcome.RIGHT:
            self.unwell.append(visit)

    def judge(self, upstream: Upstream) -> None:
        """Find the faults, now that the times of the disturbances are known."""
        for visit in self.unwell:
            if upstream.explains(visit):
                self.explained += 1
            else:
                self.faults.append(f"{visit.kind} {visit.number} {visit.outcome}: {visit.detail}")
        received = upstream.received
        self.faults += received.faults
        repeated = [number for number in self.once if received.seen[number] > 1]
        self.faults += [f"the upstream got {number} twice" for number in repeated]

    def lines(self) -> list[str]:
        """Return the summary for people."""
        lines = [f"{'exchange':<16}" + "".join(f"{outcome:>9}" for outcome in Outcome)]
        for kind in KINDS:
            cells = "".join(f"{self.counts[kind, outcome]:>9}" for outcome in Outcome)
            lines.append(f"{kind:<16}{cells}")
        together = sum(self.counts.values())
        lines.append(f"{together} together, {self.explained} of them ended because of the upstream")
        lines.append("told: " + ", ".join(f"{n} {name}" for name, n in sorted(self.events.items())))
        if self.usage is not None:
            first, last = self.usage.samples[0], self.usage.samples[-1]
            lines.append(
                f"memory {first.resident_kib / 1024:.1f} MiB, then {last.resident_kib / 1024:.1f};"
                f" {self.usage.growth_kib:+} KiB from the second quarter to the last,"
                f" {self.usage.slope_kib_per_hour / 1024:+.1f} MiB an hour"
            )
            lines.append(f"descriptors {first.descriptors}, then {last.descriptors}")
        return lines + [f"FAULT {fault}" for fault in self.faults]


async def soak(
    seconds: float, directory: Path, *, visitors: int = 12, workers: int = 1, harm: str = ""
) -> Report:
    """Load a proxy for `seconds`, and disturb it meanwhile. `harm`, one of saboteur.KINDS, is
    done between the visitors and the proxy; the report must show it."""
    upstream = Upstream()
    file = EditedFile(directory, upstream)
    report = Report()
    arguments = (*FREE_PORTS, "--workers", str(workers))
    async with upstream.running(), started(*arguments, cwd=directory) as command:
        proxy = Running(command, await command.event("ready"))
        report.usage = usage = Usage(command.process.pid)
        watching = asyncio.create_task(usage.watch())
        async with Saboteur(harm, lambda: proxy.port).running() as saboteur:
            port = saboteur.port if harm else proxy.port
            await _load(seconds, port, upstream, file, report, visitors)
        watching.cancel()
        report.judge(upstream)
        await _check_leftovers(proxy, upstream, usage, report)
        command.signal(signal.SIGTERM)
        await _check_end(command, report)
    return report


async def _load(
    seconds: float,
    port: int,
    upstream: Upstream,
    file: EditedFile,
    report: Report,
    visitors: int,
) -> None:
    numbers = Numbers()
    over = asyncio.Event()

    async def visit(seed: int) -> None:
        choose = random.Random(seed)
        visitor = Visitor(lambda: port, upstream.received, numbers)
        while not over.is_set():
            (kind,) = choose.choices(list(KINDS), list(KINDS.values()))
            report.note(await visitor.visit(kind))
            await asyncio.sleep(choose.random() * _LONGEST_PAUSE)
        await visitor.leave()

    async def every(period: float, act: Callable[[], Awaitable[None]]) -> None:
        while not over.is_set():
            await act()
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), period)

    async def edit() -> None:
        file.edit()

    async with asyncio.TaskGroup() as tasks:
        for seed in range(visitors):
            tasks.create_task(visit(seed))
        tasks.create_task(every(1.3, upstream.replace))
        tasks.create_task(every(2.1, upstream.crash))
        tasks.create_task(every(1.1, edit))
        await asyncio.sleep(seconds)
        over.set()


async def _check_leftovers(
    proxy: Running, upstream: Upstream, usage: Usage, report: Report
) -> None:
    """Wait until nothing is held for any client."""
    received = upstream.received
    try:
        await until(lambda: received.left == received.held)
    except TimeoutError:
        report.faults.append(f"{received.held - received.left} requests outlive their client")
    before = usage.samples[0].descriptors
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await _held(proxy) < usage.sample().descriptors - before:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        report.faults.append("requests or descriptors are left when all clients have gone")
    usage.samples.append(usage.sample())


async def _held(proxy: Running) -> float:
    """How many descriptors the proxy may hold while idle: idle upstream connections.

    Negative while it is still answering.
    """
    metrics = await proxy.metrics()
    kept = sum(value for name, value in metrics.items() if "upstream_connections{" in name)
    return -1 if metrics["corsproxy_in_flight"] else kept


async def _check_end(command: Command, report: Report) -> None:
    """Read the proxy's reports until it ends."""
    await command.event("stopped")
    report.events.update(event["event"] for event in command.events)
    report.faults += [str(event) for event in command.events if event["event"] in _BAD_EVENTS]
    code, complaints = await command.exit_code(), await command.complaints()
    if code or complaints:
        report.faults.append(f"exit code {code}: {complaints}")
