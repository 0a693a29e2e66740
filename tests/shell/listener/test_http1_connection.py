"""A client connection: what is no request, who is slow, and how it ends."""

import asyncio
from collections.abc import Iterator

import pytest

from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code, Kind
from tests.fakes import (
    Asked,
    Client,
    CutShortError,
    FakeResponse,
    FakeUpstream,
    get,
    never,
    post,
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
async def test_garbage_gets_a_readable_answer_and_the_connection_closes(
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


async def test_the_answer_outlives_what_the_client_is_still_sending() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(b"NONSENSE\r\n\r\n" + bytes(300_000), bytes(300_000))
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


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
    async with serving(rules=policy(limits=Limits(head_timeout=0.3))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert (await client.reply()).status == 200
        await client.send(HEAD)
        assert (await client.reply()).status == 408


async def test_an_unfinished_head_behind_a_request_times_out() -> None:
    async with serving(rules=policy(limits=Limits(head_timeout=0.3))) as proxy:
        client = await proxy.connect()
        await client.send(get() + HEAD)
        assert (await client.reply()).status == 200
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (408, "close")


async def test_a_silent_connection_is_closed_without_an_answer() -> None:
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
        await asyncio.sleep(0.6)
        return FakeResponse(b"late")

    limits = Limits(head_timeout=0.3, keepalive_timeout=0.3, body_timeout=0.3)
    async with serving(FakeUpstream(play), policy(limits=limits)) as proxy:
        assert (await proxy.ask(post(b"x"))).content == b"late"


async def test_the_deadlines_between_two_exchanges_end_with_the_second_one() -> None:
    async def play(asked: Asked) -> FakeResponse:
        if asked.request.target == b"/2":
            await asyncio.sleep(0.6)
        return FakeResponse(await asked.content())

    limits = Limits(head_timeout=0.3, keepalive_timeout=0.3)
    async with serving(FakeUpstream(play), policy(limits=limits)) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + post(b"two", "/2"))
        assert (await client.reply()).content == b""
        assert (await client.reply()).content == b"two"


async def test_a_deadline_that_meets_a_closing_connection_is_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(HEAD)
        await until(lambda: bool(proxy.server.connections))
        connection = proxy.connection
        await until(lambda: connection.queue.has_begun)
        connection.close()
        connection._overdue()
        assert await client.rest() == b""
    assert proxy.records == []
    assert caplog.records == []


async def test_an_unread_answer_does_not_keep_a_closed_connection() -> None:
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
async def test_clients_that_leave_early_cause_no_log_lines(
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
        connection = proxy.connection
        connection.abort()
        with pytest.raises(CutShortError):
            await client.rest()
