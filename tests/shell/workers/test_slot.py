"""A worker's slot: one process after another, and their total figures."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from corsproxy.errors import StartError
from corsproxy.shell.admin.figures import Count, Figures
from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.workers import slot as slots
from corsproxy.shell.workers.channel import Order
from corsproxy.shell.workers.slot import Slot
from tests.peers import DEADLINE_SECONDS
from tests.shell.admin.test_figures import everything

# A worker that has counted what the test says, and ends or falls silent when it is told.
WORKER = """
import json, os, signal, socket, sys
end = socket.socket(fileno=int(os.environ["CORSPROXY_WORKER_CHANNEL"]))
for question in end.makefile("rb"):
    order, facts = json.loads(question)
    if order == "begin":
        figures = facts["figures"]
        if facts.get("fails"):
            sys.exit(7)
    if order == "drain":
        sys.exit(0)
    if order == "adopt":
        signal.pause()
    end.sendall(json.dumps(figures if order == "count" else facts).encode() + b"\\n")
"""


@pytest.fixture
async def slot(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slot]:
    """A slot in which a worker is up."""
    monkeypatch.setattr(sys, "orig_argv", ["anything", "-c", WORKER])
    monkeypatch.setattr(slots, "_ANSWER_S", DEADLINE_SECONDS)
    slot = Slot(0)
    await slot.begin([], Sink(None), {"figures": everything().as_json()})
    yield slot
    slot.kill()
    await slot.ended()


def requests(figures: Figures) -> int:
    return sum(figures.counts(Count.REQUESTS).values())


async def test_figures_are_those_of_the_last_answer(slot: Slot) -> None:
    assert slot.up
    assert requests(slot.figures) == 0
    await slot.count()
    assert slot.figures.as_json() == everything().as_json()


async def test_figures_of_ended_processes_are_kept(slot: Slot) -> None:
    await slot.count()
    assert await slot.ask(Order.DRAIN) is None
    assert await slot.ended() == "exit code 0"
    assert not slot.up
    assert slot.pid == 0
    assert slot.figures.in_flight == slot.past.in_flight == 0
    assert requests(slot.past) == 3
    await slot.begin([], Sink(None), {"figures": everything().as_json()})
    await slot.count()
    assert requests(slot.past) + requests(slot.figures) == 6


async def test_only_confirmed_shares_count(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    await slot.accept(frozenset({0, 1}))
    assert slot.shares == {0, 1}
    monkeypatch.setattr(slots, "_ANSWER_S", 0.05)
    await slot.ask(Order.ADOPT)
    await slot.accept(frozenset({0}))
    assert slot.shares == {0, 1}


async def test_one_that_does_not_answer_is_known_to_hang_after_a_while(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not slot.is_hanging
    monkeypatch.setattr(slots, "_ANSWER_S", 0.05)
    await slot.ask(Order.ADOPT)
    await slot.count()
    assert not slot.is_hanging
    monkeypatch.setattr(slots, "HANGING_S", 0.05)
    assert slot.is_hanging


async def test_one_that_does_not_start_is_an_error_that_says_how(slot: Slot) -> None:
    await slot.ask(Order.DRAIN)
    await slot.ended()
    with pytest.raises(StartError, match=r"^worker 0 did not start: exit code 7$"):
        await slot.begin([], Sink(None), {"figures": None, "fails": True})
    assert not slot.up
    assert slot.process is None


async def test_one_that_is_not_ready_in_time_is_ended(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await slot.ask(Order.DRAIN)
    await slot.ended()
    monkeypatch.setattr(sys, "orig_argv", ["anything", "-c", "import signal; signal.pause()"])
    monkeypatch.setattr(slots, "HANGING_S", 0.05)
    with pytest.raises(StartError, match=r"within 0.05 s; signal SIGKILL"):
        await slot.begin([], Sink(None), {})


async def test_an_empty_slot_answers_nothing() -> None:
    slot = Slot(3)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await slot.ask(Order.COUNT) is None
        await slot.count()
        slot.kill()
        assert slot.pid == 0
        assert not slot.is_hanging
