"""A request's content, pulled by the upstream at its own pace."""

import asyncio

import pytest

from corsproxy.core.policy import Limits
from corsproxy.shell.listener.faults import ClientLeftError
from corsproxy.shell.streams.seams import RequestBody
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.fakes import Asked, FakeResponse, FakeUpstream, get, never, post, serving
from tests.peers import RawPeer, answers, until
from tests.policies import policy
from tests.shell.test_through_the_proxy import forwarding_to


async def test_what_came_with_the_head_can_be_taken_without_waiting() -> None:
    seen: list[tuple[bool, bytes, bool]] = []

    async def play(asked: Asked) -> FakeResponse:
        assert asked.body is not None
        seen.append((asked.body.at_end, asked.body.take(), asked.body.at_end))
        assert asked.body.take() == b""
        assert await asked.body.read() == b""
        return FakeResponse()

    async with serving(FakeUpstream(play)) as proxy:
        await proxy.ask(post(b"content"))
        assert (await proxy.record()).received == 7
    assert seen == [(False, b"content", True)]


async def test_taking_more_than_the_limit_takes_nothing_and_reading_says_why() -> None:
    async def play(asked: Asked) -> FakeResponse:
        assert asked.body is not None
        assert asked.body.take() == b""
        # Else the upstream would get an empty body in its place.
        assert not asked.body.at_end
        await asked.body.read()
        raise AssertionError

    lines = ("Transfer-Encoding: chunked",)
    async with serving(FakeUpstream(play), policy(limits=Limits(body=3))) as proxy:
        reply = await proxy.ask(get("/", *lines, method="POST") + b"4\r\nfour\r\n0\r\n\r\n")
    assert reply.status == 413


async def test_taking_what_is_malformed_takes_nothing_and_reading_says_why() -> None:
    waiting, go = asyncio.Event(), asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        waiting.set()
        await go.wait()
        assert asked.body is not None
        assert asked.body.take() == b""
        await asked.body.read()
        raise AssertionError

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST"))
        await waiting.wait()
        await client.send(b"nonsense\r\n")
        connection = proxy.connection
        await until(lambda: connection.queue.is_deaf)
        go.set()
        assert (await client.reply()).status == 400


async def test_an_upstream_that_does_not_read_holds_the_client_back() -> None:
    go = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await go.wait()
        return FakeResponse(b"%d" % len(await asked.content()))

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        sending = asyncio.ensure_future(client.send(post(bytes(20_000_000))))
        await until(lambda: proxy.server.in_flight == 1)
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        assert not sending.done()
        go.set()
        await sending
        assert (await client.reply()).content == b"20000000"


@pytest.mark.parametrize("leave", ["finish", "reset"])
async def test_a_client_that_leaves_while_it_is_held_back_is_noticed(leave: str) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 999999", method="POST") + bytes(150_000))
        await until(lambda: bool(upstream.asked))
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        if leave == "finish":
            await client.close()
        else:
            client.reset()
        await until(lambda: upstream.asked[0].cancelled)
        assert (await proxy.record()).error == "client-left"


async def test_an_answer_before_the_content_leaves_its_connection_a_bound() -> None:
    pools = UpstreamPools()
    async with (
        RawPeer(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as upstream,
        serving(pools, forwarding_to(upstream.port)) as proxy,
    ):
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 999", method="POST") + b"the beginning")
        assert (await client.reply()).content == b"ok"
        connection = proxy.connection
        await until(lambda: connection.queue.is_deaf)
        for _ in range(3):
            await asyncio.sleep(0)
        assert connection.wire.reading.is_set
        await pools.close()


async def test_reading_on_after_the_client_has_left_says_so() -> None:
    bodies: list[RequestBody] = []

    async def play(asked: Asked) -> FakeResponse:
        assert asked.body is not None
        bodies.append(asked.body)
        return await never(asked)

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 5", method="POST"))
        await until(lambda: bool(bodies))
        client.reset()
        await until(lambda: not proxy.server.connections)
        with pytest.raises(ClientLeftError):
            await bodies[0].read()
