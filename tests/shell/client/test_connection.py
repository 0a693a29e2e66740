"""A client connection: what is no request, who is slow, and how it ends."""

import asyncio
from collections.abc import Iterator

import pytest

from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code, Kind
from corsproxy.shell.client.connection import Connection
from tests.fakes import (
    Asked,
    Client,
    CutShortError,
    FakeResponse,
    FakeUpstream,
    echo,
    get,
    never,
    ok,
    post,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n"
SECRET = b"Authorization: Bearer hunter2\r\n"


# -- bytes that are no request -----------------------------------------------------------

BAD_HEADS = {
    "name with a space": (HEAD + b"Bad Name: x\r\n\r\n", 400),
    "space before the colon": (HEAD + b"Name : x\r\n\r\n", 400),
    "no colon": (HEAD + b"Name\r\n\r\n", 400),
    "folded line": (HEAD + b"Name: a\r\n b\r\n\r\n", 400),
    "bare LF": ((HEAD + b"\r\n").replace(b"\r\n", b"\n"), 400),
    "NUL in a value": (HEAD + b"Name: a\0b\r\n\r\n", 400),
    "8-bit name": (HEAD + b"N\xe4me: a\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    "length and chunked": (
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "signed length": (HEAD + b"Content-Length: +1\r\n\r\nx", 400),
    "unknown method": (HEAD.replace(b"GET", b"FROBNICATE") + b"\r\n", 501),
    "two Hosts": (HEAD + b"Host: other\r\n\r\n", 400),
    "authority-form": (HEAD.replace(b"/ ", b"localhost:80 ") + b"\r\n", 400),
    "8-bit target": (HEAD.replace(b"/ ", b"/\xff ") + b"\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
    "long target": (HEAD.replace(b"/ ", b"/" + b"a" * 9000 + b" ") + b"\r\n", 414),
    "long field": (HEAD + b"Name: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    "many fields": (HEAD + b"A: b\r\n" * 200 + b"\r\n", 431),
    "large section": (HEAD + (b"A: " + b"a" * 7000 + b"\r\n") * 15 + b"\r\n", 431),
}


@pytest.mark.parametrize("sent", ["whole", "split"])
@pytest.mark.parametrize("case", BAD_HEADS)
async def test_what_is_no_request_gets_a_readable_answer_and_the_end(
    case: str, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, status = BAD_HEADS[case]
    data = data.replace(b"Origin:", SECRET + b"Origin:")
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(*([data] if sent == "whole" else [data[:110], data[110:]]))
        reply = await client.reply()
        assert reply.status == status
        assert reply.grant == (PAGE if b"Origin" in data else None)
        assert reply.value("Content-Type") == "application/problem+json"
        assert reply.value("Connection") == "close"
        assert b"hunter2" not in reply.content
        assert await client.rest() == b""
        record = await proxy.record()
        assert (record.status, len(proxy.records)) == (status, 1)
        assert not record.verdict.allowed
    assert upstream.asked == []
    assert caplog.records == []


async def test_garbage_behind_an_answered_request_is_answered_in_its_turn() -> None:
    release = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse(b"first")

    upstream = FakeUpstream(play)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        await client.send(b"garbage\r\n\r\n")
        release.set()
        assert (await client.reply()).content == b"first"
        assert (await client.reply()).status == 400
        assert await client.rest() == b""
        record = await proxy.record(1)
        assert (record.verdict.kind, record.method) == (Kind.UNREADABLE, "")


@pytest.mark.parametrize(
    ("sent", "contents"),
    [
        (get(), [b""]),
        (b"\r\n" + get() + post(b"abc"), [b"", b"abc"]),
        (post(b"abc"), [b"abc"]),
        (get().replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), [b""]),
    ],
    ids=["a request", "two requests", "a body", "a declined upgrade"],
)
@pytest.mark.parametrize("garbage", [b"garbage\r\n\r\n", get().replace(b"Host:", b"Host :")])
async def test_what_comes_before_garbage_is_answered(
    sent: bytes, contents: list[bytes], garbage: bytes
) -> None:
    """Whether it comes in the same segment or not (as nginx, HAProxy and Go do)."""
    for pieces in ([sent + garbage], [sent, garbage], [sent[:9], sent[9:] + garbage]):
        async with serving(FakeUpstream(echo)) as proxy:
            client = await proxy.connect()
            await client.send(*pieces)
            for content in contents:
                assert (await client.reply()).content == content
            assert (await client.reply()).status in (400, 501)
            assert await client.rest() == b""


@pytest.mark.parametrize("content", [b"-1\r\na\r\n", b"1\r\nab\r\n0\r\n\r\n", b"f" * 17 + b"\r\n"])
async def test_content_that_arrives_broken_asks_no_upstream(content: bytes) -> None:
    upstream = FakeUpstream(replying(FakeResponse()))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST") + content + get())
        assert (await client.reply()).status == 400
        assert await client.rest() == b""
    assert upstream.asked == []


async def test_more_requests_in_one_segment_than_are_queued_are_all_answered() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get() * 500)
        for _ in range(500):
            assert (await client.reply()).status == 200


async def test_the_answer_outlives_what_the_client_is_still_sending() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(b"NONSENSE\r\n\r\n" + bytes(300_000), bytes(300_000))
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


async def test_a_head_that_grows_without_end_is_refused_before_it_ends() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(HEAD)
        reply = None
        for number in range(30):
            await client.send(b"A%d: %b\r\n" % (number, b"a" * 8000))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (431, PAGE)


async def test_what_is_kept_of_an_unfinished_head_is_released_with_it() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(HEAD + b"X: " + b"a" * 20_000)
        [connection] = proxy.server.connections
        assert isinstance(connection, Connection)
        await until(lambda: len(connection._head) > 20_000)
        await client.send(b"\r\n\r\n")
        assert (await client.reply()).status == 200
        assert len(connection._head) == 0


async def test_empty_lines_before_a_request_are_no_part_of_it() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.1))) as proxy:
        client = await proxy.connect()
        for _ in range(2):
            await client.send(b"\r\n\r\n", get())
            assert (await client.reply()).status == 200


# -- deadlines ---------------------------------------------------------------------------


async def test_a_head_that_takes_too_long_is_a_408(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.1))) as proxy:
        client = await proxy.connect()
        await client.send(HEAD)
        dripping = asyncio.ensure_future(_drip(client))
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (408, "close")
        dripping.cancel()
        client.finish()
        assert await client.rest() == b""
        record = await proxy.record()
        assert record.verdict.code is Code.HEAD_TIMEOUT
        assert 0.05 < record.duration_s < 5
    assert caplog.records == []


async def _drip(client: Client) -> None:
    """Send a byte now and then, which must not move the deadline."""
    while True:
        await client.send(b"a")
        await asyncio.sleep(0.01)


async def test_a_second_head_has_its_own_deadline() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.1))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert (await client.reply()).status == 200
        await client.send(HEAD)
        assert (await client.reply()).status == 408


async def test_half_a_head_behind_a_request_has_its_deadline_too() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.1))) as proxy:
        client = await proxy.connect()
        await client.send(get() + HEAD)
        assert (await client.reply()).status == 200
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (408, "close")


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.1))) as proxy:
        client = await proxy.connect()
        assert await client.rest() == b""
        assert proxy.records == []


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with serving(rules=policy(limits=Limits(keepalive_timeout=0.1))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert (await client.reply()).status == 200
        assert await client.rest() == b""


async def test_no_deadline_of_the_head_cuts_a_long_exchange() -> None:
    async def play(asked: Asked) -> FakeResponse:
        await asyncio.sleep(0.2)
        return FakeResponse(b"late")

    limits = Limits(head_timeout=0.05, keepalive_timeout=0.05, body_timeout=0.05)
    async with serving(FakeUpstream(play), policy(limits=limits)) as proxy:
        assert (await proxy.ask(post(b"x"))).content == b"late"


async def test_the_deadlines_between_two_exchanges_end_with_the_second_one() -> None:
    async def play(asked: Asked) -> FakeResponse:
        if asked.request.target == b"/2":
            await asyncio.sleep(0.2)
        return FakeResponse(await asked.content())

    limits = Limits(head_timeout=0.05, keepalive_timeout=0.05)
    async with serving(FakeUpstream(play), policy(limits=limits)) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + post(b"two", "/2"))
        assert (await client.reply()).content == b""
        assert (await client.reply()).content == b"two"


async def test_a_deadline_that_meets_a_closing_connection_is_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.05))) as proxy:
        client = await proxy.connect()
        await client.send(HEAD)
        await until(lambda: bool(proxy.server.connections))
        [connection] = proxy.server.connections
        assert isinstance(connection, Connection)
        await until(lambda: bool(connection._head))
        connection.force_close()
        connection._overdue()
        assert await client.rest() == b""
    assert proxy.records == []
    assert caplog.records == []


async def test_an_answer_that_nobody_reads_does_not_keep_a_closed_connection() -> None:
    content = bytes(4_000_000)

    async def play(asked: Asked) -> FakeResponse:
        return FakeResponse(content)

    limits = Limits(write_timeout=0.05, keepalive_timeout=0.05)
    async with serving(FakeUpstream(play), policy(limits=limits)) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get("/", "Connection: close"))
        await until(lambda: bool(proxy.server.connections))
        await until(lambda: not proxy.server.connections)


async def test_a_slow_but_steady_reader_is_left_alone() -> None:
    async def play(asked: Asked) -> FakeResponse:
        return FakeResponse(bytes(3_000_000))

    async with serving(FakeUpstream(play), policy(limits=Limits(write_timeout=0.2))) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get())
        await client.head()
        for _ in range(30):
            await client.exactly(100_000)
            await asyncio.sleep(0.02)


# -- upgrades ----------------------------------------------------------------------------


async def test_a_declined_websocket_leaves_the_connection_usable() -> None:
    upstream = FakeUpstream(ok)
    lines = ("Connection: Upgrade", "Upgrade: websocket")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/ws", *lines) + get("/1"))
        assert (await client.reply()).status == 200
        assert (await client.reply()).status == 200
        await client.send(get("/2"))
        assert (await client.reply()).status == 200
    assert [asked.request.target for asked in upstream.asked] == [b"/ws", b"/1", b"/2"]


@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
async def test_an_upgrade_that_nobody_offers_loses_no_request_behind_it(split: bool) -> None:
    upstream = FakeUpstream()
    data = get("/h2c", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c") + get("/1")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(
            *([b"\r\n\r\n" + data[:40], data[40:]] if split else [b"\r\n\r\n" + data])
        )
        assert (await client.reply()).status == 200
        assert (await client.reply()).status == 200
        await client.send(get("/2"))
        assert (await client.reply()).status == 200
    assert [asked.request.target for asked in upstream.asked] == [b"/h2c", b"/1", b"/2"]


@pytest.mark.parametrize("second", [b"", get("/lost")], ids=["alone", "with another"])
async def test_what_the_parser_may_have_lost_ends_the_connection(second: bytes) -> None:
    upstream = FakeUpstream()
    h2c = get("/h2c", "Connection: Upgrade", "Upgrade: h2c")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + h2c + second)
        assert (await client.reply()).status == 200
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (200, "close")
        assert await client.rest() == b""
    assert [asked.request.target for asked in upstream.asked] == [b"/1", b"/h2c"]


async def test_an_upgrade_behind_the_end_of_a_body_ends_the_connection() -> None:
    upstream = FakeUpstream()
    h2c = get("/h2c", "Connection: Upgrade", "Upgrade: h2c")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1", "Transfer-Encoding: chunked", method="POST") + b"2\r\nab")
        await until(lambda: bool(upstream.asked))
        await client.send(b"\r\n0\r\n\r\n" + h2c + get("/lost"))
        assert (await client.reply()).status == 200
        assert (await client.reply()).value("Connection") == "close"
        assert await client.rest() == b""
    assert [asked.request.target for asked in upstream.asked] == [b"/1", b"/h2c"]


async def test_an_upgrade_behind_a_body_of_known_length_loses_nothing() -> None:
    upstream = FakeUpstream()
    h2c = get("/h2c", "Connection: Upgrade", "Upgrade: h2c")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1", "Content-Length: 12", method="POST") + b"a\r\n\r\nb")
        await until(lambda: bool(upstream.asked))
        await client.send(b"c\r\n\r\nd" + h2c + get("/2"))
        for _ in range(3):
            assert (await client.reply()).status == 200
    assert [asked.request.target for asked in upstream.asked] == [b"/1", b"/h2c", b"/2"]


async def test_an_upgrade_with_content_is_one_request_with_content() -> None:
    upstream = FakeUpstream()
    inner = get("/inner")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(post(inner, "/ws", "Connection: Upgrade", "Upgrade: websocket"))
        assert (await client.reply()).status == 200
    [asked] = upstream.asked
    assert asked.request.target == b"/ws"
    assert not asked.request.upgrade


async def test_connect_is_refused_and_ends_the_connection() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + get())
        assert (await client.reply()).status == 405
        assert await client.rest() == b""
    assert upstream.asked == []


# -- robustness --------------------------------------------------------------------------


def _hostile() -> Iterator[bytes]:
    yield b""
    yield b"\0" * 1000
    yield b"\r\n" * 1000
    yield b"GET"
    yield get()[:-1]
    yield get() * 100
    yield get("/", "Content-Length: 5", method="POST") + b"12"
    yield get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\n12"
    yield get("/", "Connection: Upgrade", "Upgrade: websocket") + b"\x81\x05hello"
    yield get("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield bytes(range(256)) * 40


@pytest.mark.parametrize("leave", ["close", "half-close", "reset"])
async def test_nothing_that_is_sent_and_left_leaves_a_trace(
    leave: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(FakeUpstream(never)) as proxy:
        for data in _hostile():
            client = await proxy.connect()
            try:
                await client.send(data)
                if leave == "close":
                    await client.close()
                elif leave == "half-close":
                    client.finish()
                else:
                    client.reset()
            except ConnectionError:
                pass  # the proxy was faster
        await until(lambda: not proxy.server.connections)
    assert caplog.records == []


async def test_a_flood_of_pipelined_requests_is_held_not_stored() -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        flood = asyncio.ensure_future(client.send(get() * 200_000))
        await until(lambda: bool(upstream.asked))
        [connection] = proxy.server.connections
        assert connection.transport is not None
        transport = connection.transport
        await until(lambda: not transport.is_reading())
        assert not flood.done()
        flood.cancel()
        client.reset()
        await until(lambda: not proxy.server.connections)
    assert len(upstream.asked) == 1


async def test_what_waits_behind_a_full_queue_is_answered_in_its_turn() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get() * 100 + post(b"content"))
        assert [(await client.reply()).status for _ in range(101)] == [200] * 101
        await client.send(get())
        assert (await client.reply()).status == 200


async def test_as_many_requests_as_are_queued_behind_late_content_are_answered() -> None:
    upstream = FakeUpstream(echo)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST"))
        await until(lambda: bool(upstream.asked))
        await client.send(b"0\r\n\r\n" + get() * 40)
        for _ in range(41):
            assert (await client.reply()).status == 200


async def test_a_client_on_a_unix_socket_has_no_address(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = str(tmp_path_factory.mktemp("s") / "socket")
    async with serving() as proxy:
        loop = asyncio.get_running_loop()
        listening = await loop.create_unix_server(proxy.server, path)
        client = Client(*await asyncio.open_unix_connection(path))
        await client.send(get())
        assert (await client.reply()).status == 200
        assert (await proxy.record()).client == ""
        await client.close()
        listening.close()


async def test_a_reset_cannot_be_taken_for_an_end() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: proxy.server.in_flight == 1)
        [connection] = proxy.server.connections
        assert isinstance(connection, Connection)
        connection.abort()
        with pytest.raises(CutShortError):
            await client.rest()


async def test_an_upgrade_behind_a_full_queue_ends_the_connection() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get() * 200)
        for _ in range(200):
            assert (await client.reply()).status == 200
        await client.send(get("/", "Connection: upgrade", "Upgrade: foo", method="PUT"))
        assert (await client.reply()).value("Connection") == "close"
        assert await client.rest() == b""


async def test_an_upgrade_may_follow_chunked_content_that_has_been_answered() -> None:
    chunked = get("/", "Transfer-Encoding: chunked", method="POST") + b"2\r\nok\r\n0\r\n\r\n"
    async with serving(FakeUpstream(echo)) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            await client.send(chunked)
            assert (await client.reply()).content == b"ok"
            await client.send(get("/", "Connection: upgrade", "Upgrade: foo"))
            reply = await client.reply()
            assert (reply.status, reply.value("Connection")) == (200, None)
