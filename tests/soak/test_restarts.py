"""Stopping and replacing a proxy, and its upstream, while requests arrive."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from programs.soak.disturbances import EditedFile, Interval, Upstream
from programs.soak.switch import Switch
from programs.soak.visitor import GOES_AWAY, Numbers, Outcome, Visit, Visitor
from tests.process import FREE_PORTS, started
from tests.running import Running

VISITORS = 8
DELAY = ("--drain-delay", "1s", "--shutdown-grace", "9s")
EVERYTHING = ("forward", "forward", "post", "slow", "preflight", "upload", "events", "socket")


class Crowd:
    """Visitors that come until they are told to go, or until the first has nobody to visit."""

    def __init__(self, port: Callable[[], int], upstream: Upstream, kinds: Sequence[str]) -> None:
        self.visits: list[Visit] = []
        self._over = asyncio.Event()
        numbers = Numbers()
        self._tasks = [
            asyncio.create_task(
                self._come(Visitor(port, upstream.received, numbers), random.Random(seed), kinds)
            )
            for seed in range(VISITORS)
        ]

    async def _come(self, visitor: Visitor, choose: random.Random, kinds: Sequence[str]) -> None:
        while not self._over.is_set():
            visit = await visitor.visit(choose.choice(kinds))
            self.visits.append(visit)
            if "ConnectionRefused" in visit.detail:
                break
            await asyncio.sleep(choose.random() * 0.02)
        await visitor.leave()

    async def at_work(self, visits: int) -> None:
        """Wait until there have been so many more."""
        wanted = len(self.visits) + visits
        async with asyncio.timeout(30):
            while len(self.visits) < wanted:  # noqa: ASYNC110 - of what has no event
                await asyncio.sleep(0.01)

    @property
    def unwell(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.outcome is not Outcome.RIGHT]

    async def gone(self, *, told: bool = False) -> None:
        """Wait until the last has gone."""
        if told:
            self._over.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stop_under_load_cuts_nothing_that_ends_in_time(
    tmp_path: Path, workers: str
) -> None:
    upstream = Upstream()
    EditedFile(tmp_path, upstream)
    arguments = (*FREE_PORTS, *DELAY, "--workers", workers)
    async with upstream.running(), started(*arguments, cwd=tmp_path) as command:
        proxy = Running(command, await command.event("ready"))
        crowd = Crowd(lambda: proxy.port, upstream, ["forward", "post", "slow", "preflight"])
        await crowd.at_work(100)
        command.signal(signal.SIGTERM)
        await crowd.gone()
        assert await command.exit_code() == 0
        assert await command.complaints() == ""
    seen = upstream.received.seen
    # The last visit of each found nobody; nothing that was begun has been given up.
    cut = [visit for visit in crowd.unwell if "ConnectionRefused" not in visit.detail]
    assert not [visit for visit in cut if seen[visit.number]]
    # Between its last look for connections and its end, a listener takes in one at most.
    assert len(cut) <= 1
    assert [visit for visit in crowd.visits if visit.kind == "slow"]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_rolling_restart_loses_nothing_that_may_be_sent_again(
    tmp_path: Path, workers: str
) -> None:
    upstream = Upstream()
    EditedFile(tmp_path, upstream)
    switch = Switch()
    arguments = (*FREE_PORTS, *DELAY, "--workers", workers)

    async def start(stack: AsyncExitStack) -> Running:
        command = await stack.enter_async_context(started(*arguments, cwd=tmp_path))
        proxy = Running(command, await command.event("ready"))
        switch.proxies.append(proxy)
        return proxy

    async with upstream.running(), AsyncExitStack() as stack:
        for _ in range(2):
            await start(stack)
        async with switch.running():
            crowd = Crowd(lambda: switch.port, upstream, EVERYTHING)
            await crowd.at_work(50)
            for old in list(switch.proxies):
                await start(stack)
                old.command.signal(signal.SIGTERM)
                await upstream.replace()
                assert await old.command.exit_code() == 0
                assert await old.command.complaints() == ""
                switch.proxies.remove(old)
                await crowd.at_work(50)
            await crowd.gone(told=True)
    # Whoever is told that the proxy goes away has lost nothing unawares.
    unwell = [visit for visit in crowd.unwell if visit.detail != GOES_AWAY]
    assert not [visit for visit in unwell if visit.repeatable or not upstream.explains(visit)]
    once = [visit.number for visit in crowd.visits if not visit.repeatable]
    assert max(upstream.received.seen[number] for number in once) == 1
    assert upstream.received.faults == []


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_reloads_under_load_cost_nothing(tmp_path: Path, workers: str) -> None:
    upstream = Upstream()
    file = EditedFile(tmp_path, upstream)
    arguments = (*FREE_PORTS, "--workers", workers)
    async with upstream.running(), started(*arguments, cwd=tmp_path) as command:
        proxy = Running(command, await command.event("ready"))
        crowd = Crowd(lambda: proxy.port, upstream, EVERYTHING)
        for _ in range(9):
            await crowd.at_work(10)
            file.edit()
            command.signal(signal.SIGHUP)
            told = "reload-refused" if file.is_broken else "reloaded"
            await command.event(told)
        await crowd.at_work(10)
        await crowd.gone(told=True)
    assert crowd.unwell == []
    assert max(upstream.received.seen.values()) == 1
    assert upstream.received.faults == []


async def test_a_killed_worker_costs_only_what_it_was_answering(tmp_path: Path) -> None:
    upstream = Upstream()
    EditedFile(tmp_path, upstream)
    loop = asyncio.get_running_loop()
    killed: list[Interval] = []
    async with upstream.running(), started(*FREE_PORTS, "--workers", "2", cwd=tmp_path) as command:
        proxy = Running(command, await command.event("ready"))
        crowd = Crowd(lambda: proxy.port, upstream, EVERYTHING)
        for _ in range(2):
            await crowd.at_work(50)
            # A visitor may find out with its next exchange, which is about to begin.
            killed.append(Interval(loop.time(), loop.time() + 0.1))
            os.kill(children(command.process.pid)[0], signal.SIGKILL)
            await command.event("worker-ended")
            # The other answers everybody until there are two again.
            await crowd.at_work(20)
            await command.event("worker-started")
        await crowd.at_work(50)
        await crowd.gone(told=True)
        restarts = await proxy.metrics()
    assert sum(n for name, n in restarts.items() if name.startswith("corsproxy_worker_res")) == 2
    # Each visitor has one exchange at a time, and at most one of them is with the worker.
    assert len(crowd.unwell) <= len(killed) * VISITORS
    for visit in crowd.unwell:
        assert visit.outcome is Outcome.CUT
        assert any(each.touches(visit) for each in killed), visit
    once = [visit.number for visit in crowd.visits if not visit.repeatable]
    assert max(upstream.received.seen[number] for number in once) == 1
    assert upstream.received.faults == []


def children(pid: int) -> list[int]:
    """The processes of a process, the oldest first."""
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
