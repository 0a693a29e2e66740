"""A tunnel from the client's side: bytes both ways, half-closes, and nothing left behind."""

import asyncio

import pytest

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from tests.fakes import (
    Asked,
    Client,
    CutShortError,
    FakeResponse,
    FakeStream,
    FakeUpstream,
    Proxy,
    get,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy


def switching(protocol: bytes = b"websocket") -> FakeResponse:
    return FakeResponse(
        b"",
        status=101,
        reason=b"Switching Protocols",
        framing=Framing.NONE,
        fields=[(b"Upgrade", protocol), (b"Sec-WebSocket-Accept", b"x")],
        ended=False,
    )


def handshake(protocol: str = "websocket", origin: str | None = PAGE) -> bytes:
    lines = ("Connection: keep-alive, Upgrade", f"Upgrade: {protocol}", "Sec-WebSocket-Key: a")
    return get("/ws", *lines, origin=origin)


async def opened(proxy: Proxy, data: bytes) -> Client:
    client = await proxy.connect()
    await client.send(data)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nConnection: Upgrade\r\n" in head
    assert b"\r\nUpgrade: " in head
    assert b"Access-Control" not in head
    return client


@pytest.mark.parametrize("protocol", ["websocket", "something/1"])
async def test_bytes_go_both_ways_first_those_that_came_with_the_handshake(protocol: str) -> None:
    answer = switching(protocol.encode())
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake(protocol) + b"\x81early")
        await until(lambda: answer.stream.from_client == b"\x81early")
        await client.send(b"GET / not a request")
        await until(lambda: answer.stream.from_client == b"\x81earlyGET / not a request")
        answer.stream.to_client.put_nowait(b"\x00\xff")
        assert await client.exactly(2) == b"\x00\xff"
        assert proxy.server.in_flight == 1
        client.reset()
        record = await proxy.record()
    assert (record.status, record.received) == (101, 25)
    assert record.sent > 2


async def test_a_handshake_behind_other_requests_waits_for_them() -> None:
    answer, release = switching(), asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return answer if asked.request.upgrade else FakeResponse(b"ok")

    upstream = FakeUpstream(play)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + get("/2") + handshake() + b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: bool(upstream.asked))
        release.set()
        for _ in range(2):
            assert (await client.reply()).content == b"ok"
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await until(lambda: answer.stream.from_client == b"GET / HTTP/1.1\r\n\r\n")
        client.reset()


async def test_a_foreign_origin_opens_no_tunnel() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        reply = await proxy.ask(handshake(origin="http://evil.test"))
    assert reply.status == 403
    assert upstream.asked == []


async def test_any_other_answer_to_a_handshake_is_an_ordinary_response() -> None:
    answers = FakeResponse(b"no", status=426), FakeResponse(b"next")
    async with serving(FakeUpstream(replying(*answers))) as proxy:
        client = await proxy.connect()
        await client.send(handshake() + get())
        reply = await client.reply()
        assert (reply.status, reply.content, reply.grant) == (426, b"no", PAGE)
        assert (await client.reply()).content == b"next"


async def test_a_101_that_nobody_asked_for_is_a_502() -> None:
    async with serving(FakeUpstream(replying(switching()))) as proxy:
        assert (await proxy.ask(get())).status == 502


async def test_a_half_close_is_passed_on_and_the_other_direction_goes_on() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        client.finish()
        await until(lambda: answer.stream.client_ended)
        answer.stream.to_client.put_nowait(b"late")
        assert await client.exactly(4) == b"late"
        answer.stream.to_client.put_nowait(b"")
        assert await client.rest() == b""
        assert (await proxy.record()).error is None


async def test_the_upstream_s_half_close_is_passed_on_too() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        answer.stream.to_client.put_nowait(b"")
        assert await client.rest() == b""
        await client.send(b"late")
        await until(lambda: answer.stream.from_client == b"late")


@pytest.mark.parametrize("half_closed", [False, True])
async def test_a_client_that_resets_takes_the_upstream_with_it(half_closed: bool) -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        if half_closed:
            answer.stream.to_client.put_nowait(b"")
        client.reset()
        await until(lambda: answer.stream.aborted)
        await until(lambda: not proxy.server.connections)


async def test_an_upstream_that_resets_takes_the_client_with_it() -> None:
    class Failing(FakeStream):
        async def read(self) -> bytes:
            await super().read()
            raise ConnectionResetError

    answer = switching()
    answer.stream = Failing()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        answer.stream.to_client.put_nowait(b"now")
        with pytest.raises(CutShortError):
            await client.rest()


async def test_an_upstream_that_does_not_read_holds_the_client_back() -> None:
    answer = switching()
    answer.stream.may_write.clear()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        sending = asyncio.ensure_future(client.send(bytes(20_000_000)))
        await until(lambda: not transport.is_reading())
        assert not sending.done()
        answer.stream.may_write.set()
        await sending
        await until(lambda: len(answer.stream.from_client) == 20_000_000)


async def test_a_client_that_leaves_while_it_is_held_back_is_noticed() -> None:
    answer = switching()
    answer.stream.may_write.clear()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        sending = asyncio.ensure_future(client.send(bytes(20_000_000)))
        await until(lambda: not transport.is_reading())
        sending.cancel()
        client.reset()
        await until(lambda: answer.stream.aborted)


async def test_a_client_that_does_not_read_holds_the_upstream_back() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(handshake())
        for _ in range(400):
            answer.stream.to_client.put_nowait(bytes(16 * 1024))
        connection = proxy.connection
        await until(lambda: connection.wire.is_writing_paused)
        assert answer.stream.to_client.qsize() > 0
        await client.head()
        await client.exactly(400 * 16 * 1024)


async def test_silence_ends_no_tunnel() -> None:
    answer = switching()
    limits = Limits(
        head_timeout=0.02, keepalive_timeout=0.02, body_timeout=0.02, write_timeout=0.02
    )
    async with serving(FakeUpstream(replying(answer)), policy(limits=limits)) as proxy:
        client = await opened(proxy, handshake())
        await asyncio.sleep(0.1)
        answer.stream.to_client.put_nowait(b"still here")
        assert await client.exactly(10) == b"still here"


async def test_draining_ends_tunnels_without_waiting_for_them() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        answer.stream.to_client.put_nowait(b"no frame")
        assert await client.exactly(8) == b"no frame"
        connection = proxy.connection
        assert not connection.is_awaited
        await proxy.server.drain(grace=60.0)
        assert await client.rest() == b""
        assert answer.stream.aborted
        assert (await proxy.record()).error == "shutdown"


async def test_draining_ends_websockets_as_they_want_it() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        draining = asyncio.ensure_future(proxy.server.drain(grace=60.0))
        assert await client.exactly(4) == b"\x88\x02\x03\xe9"
        await until(lambda: answer.stream.from_client[:2] == b"\x88\x82")
        await client.send(b"\x88\x80keys")
        assert await client.rest() == b""
        assert not draining.done()
        answer.stream.to_client.put_nowait(b"\x88\x02\x03\xe9")
        await draining
        assert (await proxy.record()).error == "shutdown"
        assert len(answer.stream.from_client) == 8


async def test_a_websocket_that_does_not_answer_has_the_grace_and_no_more() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        await proxy.server.drain(grace=0.05)
        assert await client.rest() == b"\x88\x02\x03\xe9"
        assert answer.stream.aborted
        assert (await proxy.record()).error == "shutdown"
