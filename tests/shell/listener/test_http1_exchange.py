"""listener/http1_exchange.py: framing and persistence; what one side says is said anew."""

import asyncio
from random import Random

import pytest

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.shell.streams.piece import PIECE_SIZE
from tests.fakes import (
    Asked,
    Client,
    CutShortError,
    FakeResponse,
    FakeStream,
    FakeUpstream,
    Proxy,
    echo,
    get,
    never,
    post,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy


@pytest.mark.parametrize("length", [b"010", b"0000000010", b"10"])
async def test_a_length_is_written_anew_for_the_upstream(length: bytes) -> None:
    """One with a zero before it is octal to some servers, which then see another request."""
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        head = get("/", f"Content-Length: {length.decode()}", method="POST")
        assert (await proxy.ask(head + b"0123456789")).status == 200
    assert upstream.asked[0].values(b"content-length") == [b"10"]


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (b"RTSP/1.0", 400),
        (b"ICE/1.0", 400),
        (b"SIP/1.1", 400),
        (b"http/1.1", 400),
        (b"HTTP/1.2", 505),
        (b"HTTP/2.0", 505),
        (b"HTTP/0.9", 505),
        (b"HTTP/11.1", 505),
        (b"HTTP/1.10", 505),
        (b"HTTP/1", 400),
    ],
)
async def test_what_is_not_our_http_is_refused(version: bytes, status: int) -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        reply = await proxy.ask(get("/x").replace(b"HTTP/1.1", version))
        assert reply.status == status
    assert upstream.asked == []


@pytest.mark.parametrize("extension", [b";", b"; ", b";=a", b";a=", b';a="', b";;a", b" ;a"])
async def test_a_malformed_chunk_extension_is_refused(extension: bytes) -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        head = get("/", "Transfer-Encoding: chunked", method="POST")
        reply = await proxy.ask(head + b"2" + extension + b"\r\naa\r\n0\r\n\r\n")
        assert reply.status == 400
    assert upstream.asked == []


async def test_the_record_says_that_the_upstream_had_begun() -> None:
    reading = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        assert asked.body is not None
        await asked.body.read()
        reading.set()
        return await never(asked) if asked.body.at_end else FakeResponse(await asked.content())

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"2\r\naa\r\n")
        await reading.wait()
        await client.send(b"garbage\r\n")
        assert (await client.reply()).status == 400
        record = await proxy.record()
    assert record.verdict.code == "bad-framing"
    assert record.detail == "The upstream had begun to get the request when it was refused."


async def test_a_request_that_is_refused_at_once_has_begun_nowhere() -> None:
    async with serving() as proxy:
        await proxy.ask(get("/", "Transfer-Encoding: chunked", method="POST") + b"garbage\r\n")
        assert (await proxy.record()).detail is None


async def test_all_unfinished_heads_together_have_a_bound() -> None:
    """The newest is refused; what it had taken comes back."""
    async with serving() as proxy:
        most = proxy.server.heads.left
        proxy.server.heads.left = 3000
        held = [await proxy.connect() for _ in range(2)]
        for client in held:
            await client.send(get()[:-2] + b"X: " + b"a" * 1400)
        await until(lambda: proxy.server.heads.left < 300)
        refused = await proxy.ask(get()[:-2] + b"X: " + b"a" * 1400)
        assert (refused.status, refused.grant is None) == (503, False)
        for client in held:
            await client.send(b"\r\n\r\n")
            assert (await client.reply()).status == 200
        assert proxy.server.heads.left == 3000
        last = await proxy.connect()
        await last.send(get()[:-2])
        await until(lambda: proxy.server.heads.left < 3000)
        last.reset()
        await until(lambda: proxy.server.heads.left == 3000)
        proxy.server.heads.left = most


MUCH = Random(1).randbytes(5 * PIECE_SIZE)


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


@pytest.mark.parametrize("length", [0, 1, 100, PIECE_SIZE, len(MUCH)])
@pytest.mark.parametrize("size", [7_000, PIECE_SIZE - 1, PIECE_SIZE, len(MUCH) + 1000])
async def test_content_ends_where_its_length_says_and_requests_follow(
    length: int, size: int
) -> None:
    content = MUCH[:length]
    upstream = FakeUpstream(echo)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        sent = post(content) + post(content[::-1]) + get("/next")
        sending = asyncio.ensure_future(client.send(*pieces_of(sent, size)))
        assert (await client.reply()).content == content
        assert (await client.reply()).content == content[::-1]
        assert (await client.reply()).content == b""
        await sending
    assert [asked.request.target for asked in upstream.asked] == [b"/", b"/", b"/next"]


async def test_garbage_after_counted_content_is_answered_in_its_turn() -> None:
    async with serving(FakeUpstream(echo)) as proxy:
        client = await proxy.connect()
        await client.send(get("/", f"Content-Length: {len(MUCH)}", method="POST"))
        await until(lambda: proxy.server.in_flight == 1)
        await client.send(MUCH + b"nonsense\r\n\r\n")
        assert (await client.reply()).content == MUCH
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


async def test_content_of_a_request_that_waits_is_held_back() -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get() + get("/", "Content-Length: 99999999", method="POST"))
        sending = asyncio.ensure_future(client.send(bytes(20_000_000)))
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        assert connection.queue.waiting[-1].content.received <= 2 * PIECE_SIZE
        sending.cancel()
        client.reset()


async def test_a_websocket_with_content_waits_for_its_end() -> None:
    seen: list[bytes] = []

    async def play(asked: Asked) -> FakeResponse:
        seen.append(await asked.content())
        return FakeResponse()

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        lines = ("Connection: Upgrade", "Upgrade: websocket", f"Content-Length: {len(MUCH)}")
        await client.send(get("/", *lines, method="POST"), *pieces_of(MUCH, PIECE_SIZE))
        assert (await client.reply()).status == 200
    assert seen == [MUCH]


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


async def test_an_unrequested_101_becomes_a_502() -> None:
    async with serving(FakeUpstream(replying(switching()))) as proxy:
        assert (await proxy.ask(get())).status == 502


async def test_a_half_close_is_passed_on_and_leaves_the_other_direction_open() -> None:
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


async def test_the_upstreams_half_close_is_passed_on() -> None:
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
    # The first is also the time that the handshake has to arrive.
    limits = Limits(head_timeout=0.3, keepalive_timeout=0.02, body_timeout=0.02, write_timeout=0.02)
    async with serving(FakeUpstream(replying(answer)), policy(limits=limits)) as proxy:
        client = await opened(proxy, handshake())
        await asyncio.sleep(0.4)
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


async def test_a_silent_websocket_gets_only_the_grace_period() -> None:
    answer = switching()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await opened(proxy, handshake())
        await proxy.server.drain(grace=0.05)
        assert await client.rest() == b"\x88\x02\x03\xe9"
        assert answer.stream.aborted
        assert (await proxy.record()).error == "shutdown"


FOREIGN = "http://evil.test"


@pytest.mark.parametrize("length", [1, 1024 * 1024])
async def test_little_content_is_read_away_and_the_connection_kept(length: int) -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        lines = (f"Content-Length: {length}",)
        await client.send(get("/", *lines, method="POST", origin=FOREIGN))
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (403, None)
        await client.send(bytes(length) + get())
        assert (await client.reply()).status == 200


async def test_endless_chunks_are_read_for_one_megabyte_only() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST", origin=FOREIGN))
        assert (await client.reply()).status == 403
        await client.send(*(b"10000\r\n" + bytes(0x10000) + b"\r\n" for _ in range(20)))
        assert await client.rest() == b""


async def test_malformed_content_ends_the_connection() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST", origin=FOREIGN))
        assert (await client.reply()).status == 403
        await client.send(b"nonsense\r\n")
        assert await client.rest() == b""


@pytest.mark.parametrize(("status", "said"), [(200, None), (400, "close")])
async def test_content_that_the_upstream_did_not_take_ends_the_connection(
    status: int, said: str | None
) -> None:
    upstream = FakeUpstream(replying(FakeResponse(status=status)))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 10", method="POST"))
        assert (await client.reply()).value("Connection") == said
        await client.send(b"0123456789" + get())
        assert await client.rest() == b""
    assert len(upstream.asked) == 1
