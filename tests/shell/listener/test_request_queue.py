"""shell/listener/request_queue.py: where one request ends and the next begins."""

import asyncio

import pytest

from corsproxy.core.policy import Limits
from corsproxy.shell.listener.wire import LINGER_S
from tests.fakes import (
    Asked,
    FakeResponse,
    FakeUpstream,
    echo,
    get,
    never,
    ok,
    post,
    replying,
    serving,
    told,
)
from tests.peers import until
from tests.policies import PAGE, policy

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n"


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
async def test_requests_before_garbage_are_answered(
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


async def test_a_head_that_grows_without_end_is_refused_before_it_ends() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(HEAD)
        reply = None
        for number in range(30):
            await client.send(b"A%d: %b\r\n" % (number, b"a" * 8000))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (431, PAGE)


async def test_a_head_that_is_too_large_waits_for_its_turn() -> None:
    release = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse(asked.request.target)

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        await client.send(b"".join(get(f"/{number}") for number in range(20)) + HEAD)
        for number in range(30):
            await client.send(b"A%d: %b\r\n" % (number, b"a" * 8000))
        connection = proxy.connection
        await until(lambda: connection.queue.is_deaf)
        release.set()
        for number in range(20):
            assert (await client.reply()).content == b"/%d" % number
        reply = await client.reply()
        assert (reply.status, reply.grant) == (431, PAGE)
        assert await client.rest() == b""


async def test_a_head_that_is_too_large_overtakes_no_request_that_came_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    few = Limits(target=300, field_section=2048)
    async with serving(rules=policy(limits=few)) as proxy:
        client = await proxy.connect()
        await client.send(get(method="DELETE") + HEAD + b"A: " + b"a" * 4000 + b"\r\n")
        assert [(await client.reply()).status for _ in range(2)] == [200, 431]
        assert await client.rest() == b""
    assert caplog.records == []


@pytest.mark.parametrize("behind", [get(), b"GET / HT", b"garbage\r\n\r\n"])
async def test_an_answer_outlives_what_follows_the_last_request(behind: bytes) -> None:
    """Closing at once would be a reset, which can overtake the answer (RFC 9112, 9.6)."""
    async with serving() as proxy:
        for last in (get("/", "Connection: close"), get().replace(b"GET", b"CONNECT")):
            client = await proxy.connect()
            await client.send(last + behind + get() * 1000, bytes(300_000))
            assert (await client.reply()).status in (200, 405)
            assert await client.rest() == b""
            assert proxy.server.in_flight == 0
            await client.close()
            began = asyncio.get_running_loop().time()
            await until(lambda: not proxy.server.connections)
            assert asyncio.get_running_loop().time() - began < LINGER_S / 2


@pytest.mark.parametrize("pipelined", [get() * 8000, b""])
async def test_a_large_answer_outlives_them_too(pipelined: bytes) -> None:
    content = bytes(3_000_000)
    async with serving(FakeUpstream(replying(FakeResponse(content)))) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        sending = asyncio.ensure_future(client.send(get("/", "Connection: close") + pipelined))
        await until(lambda: proxy.server.in_flight == 1)
        if not pipelined:
            await client.send(get() * 33)
        assert (await client.reply()).content == content
        assert await client.rest() == b""
        sending.cancel()


async def test_unwanted_content_is_read_to_its_end() -> None:
    """What is thrown away is never held back, or a client that sends all of it before it reads
    would be cut off."""
    for head in (
        get("/", "Content-Length: 10485760", method="POST").replace(b"localhost\r", b"foo.bar\r"),
        get("/", "Content-Length: 10485760", method="POST", origin="https://evil.test"),
    ):
        async with serving() as proxy:
            client = await proxy.connect()
            await client.send(head + bytes(20_000))
            began = asyncio.get_running_loop().time()
            await client.send(bytes(10_485_760 - 20_000))
            assert (await client.reply()).status in (403, 421)
            assert await client.rest() == b""
            assert asyncio.get_running_loop().time() - began < LINGER_S / 2


async def test_a_line_end_in_place_of_a_target_is_malformed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get() + b"CONNECT \nx: y\r\n\r\n")
        assert [(await client.reply()).status for _ in range(2)] == [200, 400]
        assert await client.rest() == b""
    assert caplog.records == []


async def test_an_invalid_address_is_a_bad_target() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(b"GET http://[::1]:9@/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + get())
        assert [(await client.reply()).status for _ in range(2)] == [400, 200]


async def test_nothing_is_read_before_there_is_a_reader() -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get() + b"garbage\r\n\r\n")
        sending = asyncio.ensure_future(client.send(bytes(20_000_000)))
        connection = proxy.connection
        transport = connection.wire.transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        assert not sending.done()
        sending.cancel()
        client.reset()


async def test_what_is_kept_of_an_unfinished_head_is_released_with_it() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(HEAD + b"X: " + b"a" * 20_000)
        connection = proxy.connection
        await until(lambda: connection.queue.has_begun)
        await client.send(b"\r\n\r\n")
        assert (await client.reply()).status == 200
        assert not connection.queue.has_begun


async def test_empty_lines_before_a_request_are_no_part_of_it() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.3))) as proxy:
        client = await proxy.connect()
        for _ in range(2):
            await client.send(b"\r\n\r\n", get())
            assert (await client.reply()).status == 200


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
async def test_a_declined_upgrade_loses_no_request_behind_it(split: bool) -> None:
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


async def test_an_upgrade_that_is_not_the_first_loses_no_request_behind_it() -> None:
    upstream = FakeUpstream()
    h2c = get("/h2c", "Connection: Upgrade", "Upgrade: h2c")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + h2c + get("/2") + h2c + h2c + get("/3"))
        for _ in range(6):
            assert (await client.reply()).status == 200
    targets = [b"/1", b"/h2c", b"/2", b"/h2c", b"/h2c", b"/3"]
    assert [asked.request.target for asked in upstream.asked] == targets


@pytest.mark.parametrize(
    ("framing", "first", "rest"),
    [
        ("Transfer-Encoding: chunked", b"2\r\nab", b"\r\n0\r\n\r\n"),
        ("Content-Length: 12", b"a\r\n\r\nb", b"c\r\n\r\nd"),
    ],
)
async def test_an_upgrade_behind_content_loses_nothing(
    framing: str, first: bytes, rest: bytes
) -> None:
    upstream = FakeUpstream()
    h2c = get("/h2c", "Connection: Upgrade", "Upgrade: h2c")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1", framing, method="POST") + first)
        await until(lambda: bool(upstream.asked))
        await client.send(rest + h2c + get("/2"))
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


async def test_an_upgrade_with_chunked_content_is_one_request_wherever_it_is_cut() -> None:
    upstream = FakeUpstream(echo)
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked")
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/ws", *lines, method="POST"))
        await until(lambda: bool(upstream.asked))
        await client.send(b"2\r\nab\r\n", b"0\r\n\r\n" + get("/next"))
        assert (await client.reply()).content == b"ab"
        assert (await client.reply()).content == b""


async def test_connect_is_refused_and_ends_the_connection() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + get())
        assert (await client.reply()).status == 405
        assert await client.rest() == b""
    assert upstream.asked == []


async def test_a_flood_of_pipelined_requests_is_held_not_stored() -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        flood = asyncio.ensure_future(client.send(get() * 200_000))
        await until(lambda: bool(upstream.asked))
        connection = proxy.connection
        assert connection.wire.transport is not None
        transport = connection.wire.transport
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


async def test_an_upgrade_behind_a_full_queue_loses_nothing() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        upgrade = get("/", "Connection: upgrade", "Upgrade: foo", method="PUT")
        for sent in ([get() * 200, upgrade, get()], [get() * 200 + upgrade + get()]):
            await client.send(*sent)
            for _ in range(202):
                assert (await client.reply()).status == 200


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("content", [b"", b"5\r\nhello\r\n0\r\n\r\n"], ids=["heads", "chunked"])
async def test_any_number_of_requests_before_garbage_are_answered(
    count: int, content: bytes
) -> None:
    asked = get("/", "Transfer-Encoding: chunked", method="POST") if content else get()
    async with serving(FakeUpstream(echo)) as proxy:
        client = await proxy.connect()
        await client.send((asked + content) * count + b"garbage\r\n\r\n" + get())
        for _ in range(count):
            assert (await client.reply()).status == 200
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


async def test_what_waits_behind_a_last_answer_is_dropped() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get() * 40 + b"garbage\r\n\r\n" + bytes(100_000), bytes(300_000))
        for _ in range(40):
            assert (await client.reply()).status == 200
        assert (await client.reply()).status == 400
        connection = proxy.connection
        assert connection.queue._behind == b""
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


async def test_a_repeated_head_that_arrives_in_pieces_is_read() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for cut in range(1, len(get("/a")), 7):
            for each in ([get("/a")], [get("/b")[:cut], get("/b")[cut:]]):
                await client.send(*each)
                assert (await client.reply()).status == 200


async def test_repeated_requests_in_one_piece_are_answered_in_their_order() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(get("/first"))
        await client.reply()
        await client.send(b"".join(get(f"/{number}") for number in range(100)))
        for number in range(100):
            assert f"/{number}'".encode() in (await client.reply()).content


async def test_the_rest_of_a_head_is_not_a_repetition() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(get("/inner"))
        await client.reply()
        await client.send(b"GET /outer HTTP/1.1\r\nHost: localhost\r\nA: ", get("/inner"))
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("count", [2, 8, 40])
async def test_requests_that_waited_behind_a_full_queue_are_answered(count: int) -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for number in (32 + count, count, 1):
            await client.send(get("/a") * number)
            for _ in range(number):
                assert (await client.reply()).status == 200


CONTENTS = {
    "counted": (b"Content-Length: 5\r\n\r\n", b"hello"),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("target", ["/outer", "/inner"])
@pytest.mark.parametrize("kind", CONTENTS)
async def test_half_a_head_behind_content_is_neither_forgotten_nor_repeated(
    kind: str, target: str
) -> None:
    fields, content = CONTENTS[kind]
    asking = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + fields
    half = f"GET {target} HTTP/1.1\r\nCookie: a=b\r\nA: ".encode()
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        alone = await proxy.ask(get("/inner"))
        for _ in range(2):
            await client.send(get("/inner"))
            await client.reply()
        await client.send(asking + content + half)
        await client.reply()
        await client.send(get("/inner"))
        outer = await client.reply()
        assert repr(target.encode()).encode() in outer.content
        assert b"(b'Cookie', b'a=b'), (b'A', b'GET /inner HTTP/1.1')" in outer.content
        for _ in range(2):
            await client.send(get("/inner"))
            assert (await client.reply()).content == alone.content


@pytest.mark.parametrize("kind", ["counted", "chunked"])
async def test_content_is_not_part_of_a_head(kind: str) -> None:
    inner = b"GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\nA: "
    counted = kind == "counted"
    length = b"Content-Length: %d" % len(inner) if counted else b"Transfer-Encoding: chunked"
    start = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"
    size, end = (b"", b"") if counted else (b"%x\r\n" % len(inner), b"\r\n0\r\n\r\n")
    upstream = FakeUpstream(told)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(start + size)
        await until(lambda: bool(upstream.asked))
        await client.send(inner + end + b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        await client.send(inner + end + b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.reply()).status in (400, 403)


async def test_a_smuggled_request_is_not_a_repetition() -> None:
    inner = get("/inner")
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(inner)
        await client.reply()
        await client.send(
            get("/outer", f"Content-Length: {len(inner)}", method="POST") + inner,
        )
        assert b"/outer" in (await client.reply()).content
        await client.send(get("/last"))
        assert b"/last" in (await client.reply()).content


async def test_content_like_a_head_is_content_wherever_it_is_cut() -> None:
    inner = get("/inner")
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(inner)
        await client.reply()
        head = get("/outer", f"Content-Length: {len(inner)}", method="POST")
        await client.send(head, inner)
        assert b"/outer" in (await client.reply()).content
        await client.send(get("/last"))
        assert b"/last" in (await client.reply()).content


async def test_bytes_wait_behind_waiting_bytes() -> None:
    """Where a connection that is held still has more to give, as TLS may."""
    release = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse(asked.request.target)

    async with serving(FakeUpstream(play)) as proxy:
        client = await proxy.connect()
        await client.send(b"".join(get(f"/{number}") for number in range(50)))
        connection = proxy.connection
        await until(lambda: bool(connection.queue._behind))
        connection.queue.waiting.pop()
        connection.queue.take(get("/last"))
        release.set()
        answered = [(await client.reply()).content for _ in range(50)]
    assert answered[-2:] == [b"/49", b"/last"]


async def test_nothing_is_read_behind_garbage() -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        await client.send(b"garbage\r\n\r\n", get() * 10)
        connection = proxy.connection
        await until(lambda: connection.queue.is_deaf)
        connection.queue.take(get())
        assert len(connection.queue.waiting) == 1
        client.reset()
