"""The proxy without the process around it."""

import asyncio
import gc
import json
import socket
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from corsproxy.core.advice.operation import PRESS_A
from corsproxy.core.policy import Log, LogRequests, Policy, Route, UpstreamAddress
from corsproxy.shell.admin.figures import Count
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.run.engine import Engine, freeze_startup_objects
from tests.fakes import Client, get
from tests.peers import RawPeer, answers, until
from tests.policies import PAGE, policy, route, rules
from tests.running import OK, ask


def asking(upstream: RawPeer, *origins: str) -> Policy:
    address = UpstreamAddress("http", "127.0.0.1", upstream.port)
    return policy(route(upstream=address, cors=rules(*(origins or (PAGE,)))))


def listening() -> tuple[socket.socket, int]:
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def ignore(line: str) -> None:
    """The log of a test that is about something else."""


async def test_it_answers_logs_and_counts() -> None:
    lines: list[str] = []
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), lines.append, "json", color=False)
        sock, port = listening()
        await engine.listen([sock])
        assert (await ask(port, get())).grant == PAGE
        await engine.finish_drain()
    assert [json.loads(line)["status"] for line in lines] == [200]
    figures = engine.figures()
    assert sum(figures.counts(Count.REQUESTS).values()) == 1
    assert [counts["connects"] for counts in figures.upstreams.values()] == [1]


async def test_it_accepts_only_on_the_given_sockets() -> None:
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), ignore, "json", color=False)
        (first, first_port), (second, second_port) = listening(), listening()
        await engine.listen([first, second])
        for port in (first_port, second_port):
            assert (await ask(port, get())).status == 200
        await engine.listen([second])
        assert (await ask(second_port, get())).status == 200
        try:
            await asyncio.open_connection("127.0.0.1", first_port)
        except ConnectionRefusedError:
            refused = True
        else:
            refused = False
        assert refused
        await engine.finish_drain()


async def test_another_policy_counts_from_the_next_request_on() -> None:
    other = "https://other.example"
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), ignore, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        assert (await ask(port, get(origin=other))).status == 403
        engine.adopt(asking(upstream, other))
        assert (await ask(port, get(origin=other))).grant == other
        await engine.finish_drain()


async def test_records_are_made_only_if_needed() -> None:
    lines: list[str] = []
    async with RawPeer(answers(OK)) as upstream:
        served = asking(upstream)
        silent = replace(served, admin=None, log=Log("json", "none"))
        engine = Engine(silent, lines.append, "json", color=False)
        sock, port = listening()
        await engine.listen([sock])
        counts = []
        for policy in (silent, replace(silent, admin=served.admin), replace(served, admin=None)):
            engine.adopt(policy)
            assert (await ask(port, get())).status == 200
            counts.append((sum(engine.figures().counts(Count.REQUESTS).values()), len(lines)))
        await engine.finish_drain()
    assert counts == [(0, 0), (1, 0), (2, 1)]


async def test_nothing_of_a_policy_outlives_it() -> None:
    other = "https://other.example"
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), ignore, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        for _ in range(3):
            assert (await ask(port, get())).status == 200
            assert (await ask(port, get(origin=other))).status == 403
            engine.adopt(asking(upstream))
        gc.collect()
        alive = [each for each in gc.get_objects() if isinstance(each, Route)]
        assert [each for each in alive if each.upstream.port == upstream.port] == [
            *engine.policy.routes
        ]
        await engine.finish_drain()


async def test_when_it_drains_every_response_ends_its_connection() -> None:
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), ignore, "json", color=False)
        sock, port = listening()
        await engine.listen([sock])
        engine.begin_drain()
        assert (await ask(port, get())).value("Connection") == "close"
        await engine.finish_drain()


async def test_waiting_connections_are_still_answered() -> None:
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), ignore, "json", color=False)
        sock, port = listening()
        await engine.listen([sock])
        # The kernel lets them in while the event loop stands still.
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for each in waiting:
            each.sendall(get())
        engine.begin_drain()
        await engine.finish_drain()
        for each in waiting:
            with each:
                assert each.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_text_says_what_would_allow_a_refused_request() -> None:
    lines: list[str] = []
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), lines.append, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        await ask(port, get(origin="https://other.example"))
        await engine.finish_drain()
    assert "allow_origins" in lines[0]
    assert " ".join(lines[0].split()).count("Local Network Access") == 1


@pytest.mark.parametrize("noted", [True, False])
async def test_the_edit_is_offered_only_at_a_terminal(noted: bool) -> None:
    lines: list[str] = []
    refusals = Refusals() if noted else None
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), lines.append, "text", color=False, refusals=refusals)
        sock, port = listening()
        await engine.listen([sock])
        await ask(port, get(origin="http://other.example"))
        await engine.finish_drain()
    assert (PRESS_A in lines[0]) == noted
    assert lines[0].count("Referrer-Policy") == 1
    if refusals is not None:
        [refusal] = refusals.latest()
        assert [remedy.value for remedy in refusal.remedies] == ["http://other.example"]
        assert refusal.origin == b"http://other.example"


async def test_a_reload_that_changes_nothing_forgets_nothing() -> None:
    lines: list[str] = []
    refusals = Refusals()
    async with RawPeer(answers(OK)) as upstream:
        engine = Engine(asking(upstream), lines.append, "text", color=False, refusals=refusals)
        sock, port = listening()
        await engine.listen([sock])
        await ask(port, get(origin="http://other.example"))
        engine.adopt(asking(upstream))
        assert len(list(refusals.latest())) == 1
        engine.adopt(replace(asking(upstream), via=None))
        assert list(refusals.latest()) == []
        await engine.finish_drain()


async def test_a_call_that_lacks_a_cookie_is_explained_once() -> None:
    lines: list[str] = []
    who = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    async with RawPeer(answers(who)) as upstream:
        engine = Engine(asking(upstream), lines.append, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        for _ in range(2):
            await ask(port, get())
        await engine.finish_drain()
    first, second = lines
    assert "no cookie\n" in first
    assert "It came without a cookie. If the page sends cookies" in first
    assert second.endswith("no cookie (×2)\n")


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("requests", ["all", "denied"])
async def test_streams_are_logged_as_they_open(requests: LogRequests) -> None:
    lines: list[str] = []
    async with RawPeer(answers(EVENTS)) as upstream, AsyncExitStack() as clients:
        log = Log(requests=requests)
        engine = Engine(replace(asking(upstream), log=log), lines.append, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        for _ in range(7):
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
            clients.push_async_callback(client.close)
            await client.send(get("/events"))
            assert b"text/event-stream" in await client.head()
        await clients.aclose()
        await until(lambda: engine.in_flight == 0)
        await engine.finish_drain()
    if requests == "denied":
        # A call that waits for ever is worth a word all the same.
        lines.insert(0, "")
        assert [" ".join(line.split()).count("6 event streams open") for line in lines] == [0, 1]
        return
    opened, ended = lines[:7], lines[7:]
    assert "stream opened" in opened[0]
    assert "of this page" not in opened[0]
    assert ["HTTP/2" in line for line in opened] == [False] * 5 + [True, False]
    assert "stream opened, 6 of this page\n" in opened[5]
    assert "6 event streams open" in " ".join(opened[5].split())
    assert all("[client-left]" in line for line in ended)


async def test_other_answers_open_no_streams() -> None:
    lines: list[str] = []
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000
    async with RawPeer(answers(long)) as upstream:
        engine = Engine(asking(upstream), lines.append, "text", color=False)
        sock, port = listening()
        await engine.listen([sock])
        assert len((await ask(port, get())).content) == 100000
        await engine.finish_drain()
    assert len(lines) == 1
    assert "stream" not in lines[0]


def test_long_lived_objects_are_exempt_from_garbage_collection() -> None:
    try:
        freeze_startup_objects()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
