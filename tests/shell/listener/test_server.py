"""The listener: room for so many clients, and an orderly end."""

import asyncio
import resource

import pytest

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.shell.listener.server import connections_limit
from tests.fakes import (
    Asked,
    CutShortError,
    FakeResponse,
    FakeUpstream,
    get,
    never,
    ok,
    post,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy


def test_room_is_what_the_policy_says_or_what_the_descriptors_allow() -> None:
    assert connections_limit(policy(limits=Limits(connections=7))) == 7
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
        assert connections_limit(policy()) == 400
        assert connections_limit(policy(limits=Limits(connections=1000))) == 423
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        assert connections_limit(policy()) == 23
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert connections_limit(policy()) <= 4096


async def test_one_client_too_many_is_told_so_and_room_comes_back() -> None:
    upstream = FakeUpstream()
    async with serving(upstream, policy(limits=Limits(connections=1))) as proxy:
        first = await proxy.connect()
        await first.send(get())
        assert (await first.reply()).status == 200
        second = await proxy.connect()
        await second.send(get())
        reply = await second.reply()
        assert (reply.status, reply.grant) == (503, PAGE)
        assert await second.rest() == b""
        assert (await proxy.record(1)).verdict.code is Code.CONNECTIONS_FULL
        await first.send(get())
        assert (await first.reply()).status == 200
        await first.close()
        await until(lambda: not proxy.server.connections)
        assert (await proxy.ask(get())).status == 200
    assert len(upstream.asked) == 3


async def test_long_heads_in_progress_have_a_bound_together() -> None:
    answer = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        room = proxy.server.heads.left = 20_000
        long = get("/", "X: " + "a" * 15_000)
        first, second = await proxy.connect(), await proxy.connect()
        await first.send(long)
        await first.head()
        assert proxy.server.heads.left < room - 15_000
        await second.send(long)
        assert (await second.reply()).status == 503
        assert (await proxy.record()).verdict.code is Code.CONNECTIONS_FULL
        await first.close()
        await until(lambda: proxy.server.heads.left == room)


async def test_far_too_many_clients_are_hung_up_on() -> None:
    async with serving(rules=policy(limits=Limits(connections=1))) as proxy:
        clients = [await proxy.connect() for _ in range(5)]
        await until(lambda: len(proxy.server.connections) == 2)
        with pytest.raises(CutShortError):
            await clients[-1].head()


async def test_a_new_policy_moves_the_limit_of_connections() -> None:
    async with serving(rules=policy(limits=Limits(connections=1))) as proxy:
        proxy.server.policy = policy(limits=Limits(connections=2))
        for _ in range(2):
            assert (await proxy.ask(get())).status == 200


async def test_while_draining_requests_are_answered_and_connections_closed() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert (await client.reply()).value("Connection") is None
        proxy.server.draining = True
        assert proxy.server.draining
        await client.send(get())
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (200, "close")
        assert await client.rest() == b""


async def test_draining_closes_idle_connections_at_once() -> None:
    async with serving() as proxy:
        silent, idle = await proxy.connect(), await proxy.connect()
        await idle.send(get())
        await idle.reply()
        async with asyncio.timeout(20):
            await proxy.server.drain(grace=60.0)
        assert await silent.rest() == await idle.rest() == b""


async def test_draining_waits_for_requests_in_flight() -> None:
    release = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse(b"done")

    upstream = FakeUpstream(play)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        draining = asyncio.ensure_future(proxy.server.drain(grace=60.0))
        await asyncio.sleep(0.05)
        assert not draining.done()
        release.set()
        reply = await client.reply()
        assert (reply.content, reply.value("Connection")) == (b"done", "close")
        await draining


@pytest.mark.parametrize("behind", [b"garbage\r\n\r\n", get() * 8000], ids=["garbage", "many"])
async def test_what_follows_an_exchange_does_not_cut_it_short(behind: bytes) -> None:
    release = asyncio.Event()
    content = bytes(1_000_000)

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse(content)

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        sending = asyncio.ensure_future(client.send(get() + behind))
        await until(lambda: proxy.server.in_flight == 1)
        draining = asyncio.ensure_future(proxy.server.drain(grace=60.0))
        await until(lambda: proxy.server.draining)
        await asyncio.sleep(0)
        release.set()
        assert (await client.reply()).content == content
        sending.cancel()
        client.reset()
        await draining


async def test_an_answer_that_is_still_on_its_way_is_not_cut() -> None:
    content = bytes(1_000_000)
    async with serving(FakeUpstream(replying(FakeResponse(content)))) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get("/", "Connection: close") + get() * 40)
        await until(lambda: any(each.is_ending for each in proxy.server.connections))
        draining = asyncio.ensure_future(proxy.server.drain(grace=60.0))
        for _ in range(20):
            await client.send(get())
            await asyncio.sleep(0)
        assert (await client.reply()).content == content
        client.finish()
        await draining


@pytest.mark.parametrize(
    "sent", [get(), post(b"a=1"), post(b"a=1")[:-1]], ids=["GET", "POST", "half a POST"]
)
async def test_what_outlasts_the_grace_unanswered_is_answered(sent: bytes) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(sent)
        await until(lambda: bool(upstream.asked))
        draining = asyncio.ensure_future(proxy.server.drain(grace=0.05))
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (503, "close")
        assert reply.grant == PAGE
        assert reply.value("Corsproxy-Reason") == "draining"
        assert await client.rest() == b""
        client.finish()
        await draining
        assert upstream.asked[0].cancelled
        record = await proxy.record()
        assert (record.status, record.verdict.code, record.error) == (503, Code.DRAINING, None)
        assert len(proxy.records) == 1


async def test_what_outlasts_the_grace_half_answered_is_reset() -> None:
    answer = FakeResponse(b"half", fields=[(b"Content-Length", b"8")], ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.head()
        await proxy.server.drain(grace=0.05)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(8)
        assert answer.aborted
        record = await proxy.record()
        assert (record.status, record.error) == (200, "shutdown")


async def test_draining_ends_event_streams_without_waiting_for_them() -> None:
    answer = FakeResponse(
        b"data: 1\n\n",
        framing=Framing.CHUNKED,
        fields=[(b"Content-Type", b"text/event-stream; charset=utf-8")],
        ended=False,
    )
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.head()
        async with asyncio.timeout(20):
            await proxy.server.drain(grace=60.0)
        assert await client.rest() == b"9\r\ndata: 1\n\n\r\n"
        assert answer.aborted


async def test_in_flight_counts_exchanges_not_connections() -> None:
    upstream = FakeUpstream(ok)
    async with serving(upstream) as proxy:
        idle = await proxy.connect()
        await idle.send(get())
        await idle.reply()
        assert proxy.server.in_flight == 0
        upstream.play = never
        await idle.send(get())
        await until(lambda: proxy.server.in_flight == 1)


async def test_many_clients_at_once_are_all_served() -> None:
    async with serving() as proxy:

        async def talk() -> None:
            client = await proxy.connect()
            for _ in range(5):
                await client.send(get())
                assert (await client.reply()).content == b"ok"
            await client.close()

        await asyncio.gather(*(talk() for _ in range(100)))
        await until(lambda: not proxy.server.connections)
        await until(lambda: len(proxy.records) == 500)
