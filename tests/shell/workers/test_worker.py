"""A worker does as its supervisor says, and ends with it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.figures import Count, Figures
from corsproxy.shell.run.engine import Engine
from corsproxy.shell.workers.channel import Answers, Order, Questions, text_of
from corsproxy.shell.workers.worker import Worker
from tests.fakes import Client, get
from tests.peers import DEADLINE_SECONDS, RawPeer, answers
from tests.running import OK, Slow, ask
from tests.shell.run.test_engine import asking, ignore

OTHER = "https://other.example"


class Supervised:
    """A worker, and the supervisor's end of its channel."""

    def __init__(self, worker: Worker, questions: Questions, answers: Answers) -> None:
        self.ports: list[int] = []
        self.ask = questions.ask
        self.leave = questions.close
        self._running = asyncio.create_task(worker.until_drained(answers))

    async def ended(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._running


@asynccontextmanager
async def supervised(upstream: RawPeer, shares: int = 1) -> AsyncIterator[Supervised]:
    """A worker that accepts connections from the first of its shares."""

    def read(content: bytes) -> Policy:
        return asking(upstream, content.decode())

    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(shares)]
    ours, theirs = socket.socketpair()
    questions, replies = await Questions.connect(ours), await Answers.connect(theirs)
    engine = Engine(asking(upstream), ignore, "json", color=False)
    shared = [[sock.detach()] for sock in [s.dup() for s in sockets]]
    worker = Worker(engine, shared, read, lambda: 0)
    supervised = Supervised(worker, questions, replies)
    supervised.ports = [sock.getsockname()[1] for sock in sockets]
    for each in sockets:
        each.close()
    await supervised.ask(Order.ACCEPT, {"shares": [0]})
    yield supervised
    questions.close()
    await supervised.ended()
    replies.close()
    await questions.lost()


async def test_it_accepts_only_on_its_shares() -> None:
    async with RawPeer(answers(OK)) as upstream, supervised(upstream, shares=2) as worker:
        first, second = worker.ports
        assert (await ask(first, get())).status == 200
        # The kernel accepts for the other worker; nobody answers before it is taken over.
        waiting = Client(*await asyncio.open_connection("127.0.0.1", second))
        await waiting.send(get())
        await worker.ask(Order.ACCEPT, {"shares": [0, 1]})
        assert (await waiting.reply()).status == 200
        await waiting.close()
        for _ in range(2):
            await worker.ask(Order.ACCEPT, {"shares": [1]})
            await worker.ask(Order.ACCEPT, {"shares": [0, 1]})
            assert (await ask(second, get())).status == 200
        await worker.ask(Order.DRAIN, {"delay": 0.0})


async def test_it_adopts_what_the_supervisor_has_read() -> None:
    async with RawPeer(answers(OK)) as upstream, supervised(upstream) as worker:
        await worker.ask(Order.ADOPT, {"content": text_of(OTHER.encode())})
        assert (await ask(worker.ports[0], get(origin=OTHER))).grant == OTHER


async def test_it_reports_its_figures() -> None:
    async with RawPeer(answers(OK)) as upstream, supervised(upstream) as worker:
        await ask(worker.ports[0], get())
        figures = Figures.from_json(await worker.ask(Order.COUNT))  # type: ignore[arg-type] # as in Slot
        assert sum(figures.counts(Count.REQUESTS).values()) == 1


async def test_it_drains_when_it_is_told_and_still_answers_meanwhile() -> None:
    slow = Slow()
    async with RawPeer(slow.script) as upstream, supervised(upstream) as worker:
        client = Client(*await asyncio.open_connection("127.0.0.1", worker.ports[0]))
        await client.send(get())
        await slow.wait_asked()
        assert await worker.ask(Order.DRAIN, {"delay": 0.0}) == {"in_flight": 1}
        assert (await worker.ask(Order.COUNT))["in_flight"] == 1
        assert await worker.ask(Order.ACCEPT, {"shares": [0]}) == {}
        slow.may_answer.set()
        assert (await client.reply()).status == 200
        await worker.ended()
        await client.close()


async def test_without_its_supervisor_it_drains() -> None:
    slow = Slow()
    async with RawPeer(slow.script) as upstream, supervised(upstream) as worker:
        client = Client(*await asyncio.open_connection("127.0.0.1", worker.ports[0]))
        await client.send(get())
        await slow.wait_asked()
        worker.leave()
        slow.may_answer.set()
        assert (await client.reply()).status == 200
        await worker.ended()
        await client.close()


async def test_a_second_begin_order_ends_it() -> None:
    async with RawPeer(answers(OK)) as upstream:
        ours, theirs = socket.socketpair()
        questions, replies = await Questions.connect(ours), await Answers.connect(theirs)
        engine = Engine(asking(upstream), ignore, "json", color=False)
        worker = asyncio.create_task(
            Worker(engine, [], lambda _: engine.policy, lambda: 0).until_drained(replies)
        )
        asked = asyncio.create_task(questions.ask(Order.BEGIN))
        with pytest.raises(ValueError, match="once"):
            await worker
        replies.close()
        with pytest.raises(ConnectionError):
            await asked
