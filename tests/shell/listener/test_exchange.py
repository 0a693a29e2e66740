"""One exchange: what the core decides is what the client and the upstream see."""

import asyncio
from dataclasses import replace

import pytest

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.listener.faults import BodyRefusedError
from tests.fakes import (
    Asked,
    CutShortError,
    FakeResponse,
    FakeUpstream,
    echo,
    get,
    never,
    post,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy

FOREIGN = "http://evil.test"


async def test_an_allowed_request_is_forwarded_and_its_answer_granted() -> None:
    upstream = FakeUpstream(replying(FakeResponse(b"hello", fields=[(b"X-Thing", b"caf\xe9")])))
    async with serving(upstream) as proxy:
        reply = await proxy.ask(get("/a%2Fb?c=d", "X-Asked: caf\xe9"))
    assert (reply.status, reply.content, reply.grant) == (200, b"hello", PAGE)
    assert (b"X-Thing", b"caf\xe9") in reply.fields
    [asked] = upstream.asked
    assert asked.request.target == b"/a%2Fb?c=d"
    assert asked.values(b"x-asked") == [b"caf\xe9"]
    assert asked.body is None


async def test_a_foreign_origin_and_a_preflight_never_reach_the_upstream() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        refused = await proxy.ask(get(origin=FOREIGN))
        preflight = await proxy.ask(
            get("/", "Access-Control-Request-Method: PUT", method="OPTIONS")
        )
    assert (refused.status, refused.grant) == (403, None)
    assert (preflight.status, preflight.grant) == (204, PAGE)
    assert upstream.asked == []


async def test_date_and_connection_are_sent_once_and_only_where_needed() -> None:
    given = (b"Date", b"Mon, 01 Jan 2024 00:00:00 GMT")
    upstream = FakeUpstream(replying(FakeResponse(), FakeResponse(fields=[given])))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        first = await client.reply()
        await client.send(get("/", "Connection: close"))
        second = await client.reply()
        assert await client.rest() == b""
    assert (first.value("Date") or "").endswith(" GMT")
    assert first.value("Connection") is None
    assert second.value("Date") == given[1].decode()
    assert second.value("Connection") == "close"
    assert second.value("Server") is None


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def play(asked: Asked) -> FakeResponse:
        return FakeResponse(asked.request.target + await asked.content())

    upstream = FakeUpstream(play)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/1") + post(b"two", "/2") + get("/3", origin=FOREIGN) + get("/4"))
        replies = [await client.reply() for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 403, 200]
    assert [replies[n].content for n in (0, 1, 3)] == [b"/1", b"/2two", b"/4"]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)], ids=["HEAD", "204", "304"]
)
async def test_a_response_without_content_leaves_the_connection_usable(
    method: str, status: int
) -> None:
    answer = FakeResponse(
        b"", status=status, framing=Framing.NONE, fields=[(b"Content-Length", b"5")]
    )
    async with serving(FakeUpstream(replying(answer, FakeResponse(b"next")))) as proxy:
        client = await proxy.connect()
        await client.send(get(method=method))
        reply = await client.reply(method)
        assert reply.value("Content-Length") == (None if status == 204 else "5")
        await client.send(get())
        assert (await client.reply()).content == b"next"


async def test_content_without_a_length_is_chunked_and_every_piece_leaves_at_once() -> None:
    answer = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert b"\r\nTransfer-Encoding: chunked\r\n" in await client.head()
        answer.put(b"data: 1\n\n")
        assert await client.exactly(14) == b"9\r\ndata: 1\n\n\r\n"
        answer.put(b"data: 2\n\n")
        assert await client.exactly(14) == b"9\r\ndata: 2\n\n\r\n"
        answer.end()
        assert await client.exactly(5) == b"0\r\n\r\n"


async def test_an_http_1_0_client_gets_no_chunks_and_a_close() -> None:
    answer = FakeResponse(b"all of it", framing=Framing.CHUNKED)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        reply = await client.reply()
        assert reply.value("Transfer-Encoding") is None
        assert reply.content == b"all of it"


async def test_an_http_1_0_client_may_keep_its_connection() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        for _ in range(2):
            await client.send(
                b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
            )
            assert (await client.reply()).value("Connection") == "keep-alive"
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.reply()).status == 200
        assert await client.rest() == b""


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.7"])
async def test_other_versions_are_refused_in_ours(version: str) -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get().replace(b"HTTP/1.1", version.encode()))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (505, PAGE)
        assert await client.rest() == b""
    assert upstream.asked == []


# -- content of requests -----------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 7], ids=["whole", "in pieces"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_request_s_content_reaches_the_upstream(pieces: int, chunked: bool) -> None:
    upstream = FakeUpstream(echo)
    if chunked:
        data = (
            get("/", "Transfer-Encoding: chunked", method="PUT")
            + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
        )
    else:
        data = post(b"abcdefg")
    step = -(-len(data) // pieces)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(*(data[at : at + step] for at in range(0, len(data), step)))
        assert (await client.reply()).content == b"abcdefg"
        await client.send(get())
        assert (await client.reply()).status == 200
        assert (await proxy.record()).received == 7
    assert upstream.asked[0].request.framing is (Framing.CHUNKED if chunked else Framing.LENGTH)


async def test_a_100_is_sent_when_the_upstream_wants_the_content() -> None:
    upstream = FakeUpstream(echo)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await client.reply()).content == b"body"
    assert upstream.asked[0].values(b"expect") == []


async def test_no_100_is_sent_for_content_that_has_arrived() -> None:
    async with serving(FakeUpstream(echo)) as proxy:
        reply = await proxy.ask(post(b"body", "/", "Expect: 100-continue"))
    assert (reply.status, reply.content) == (200, b"body")


@pytest.mark.parametrize("refused", ["here", "upstream"])
async def test_a_refused_request_gets_no_100(refused: str) -> None:
    upstream = FakeUpstream(replying(FakeResponse(b"too much", status=413)))
    origin = FOREIGN if refused == "here" else PAGE
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        lines = ("Content-Length: 4", "Expect: 100-continue")
        await client.send(get("/", *lines, method="POST", origin=origin))
        reply = await client.reply()
        assert reply.status == (403 if refused == "here" else 413)
        # Whether the four bytes still come, nobody can know.
        assert reply.value("Connection") == "close"
        client.finish()
        assert await client.rest() == b""


async def test_content_behind_a_local_answer_is_never_read_as_a_request() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        smuggled = get("/admin")
        await client.send(
            get("/", f"Content-Length: {len(smuggled)}", method="POST", origin=FOREIGN)
        )
        assert (await client.reply()).status == 403
        await client.send(smuggled + get("/next"))
        assert (await client.reply()).status == 200
    assert [asked.request.target for asked in upstream.asked] == [b"/next"]


async def test_too_much_content_behind_a_local_answer_ends_the_connection() -> None:
    async with serving() as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 9999999", method="POST", origin=FOREIGN))
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (403, "close")
        client.finish()
        assert await client.rest() == b""


async def test_a_declared_length_beyond_the_limit_is_refused_before_the_upstream() -> None:
    upstream = FakeUpstream()
    async with serving(upstream, policy(limits=Limits(body=10))) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 11", method="POST"))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (413, PAGE)
        allowed = await proxy.ask(post(b"0123456789"))
        assert allowed.status == 200
    assert len(upstream.asked) == 1


async def test_chunks_beyond_the_limit_are_refused_while_they_come() -> None:
    upstream = FakeUpstream(echo)
    async with serving(upstream, policy(limits=Limits(body=10))) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST"))
        await client.send(b"8\r\n01234567\r\n")
        await until(lambda: bool(upstream.asked))
        await client.send(b"8\r\n01234567\r\n")
        reply = await client.reply()
        assert (reply.status, reply.grant) == (413, PAGE)
        client.finish()
        assert await client.rest() == b""


async def test_content_that_stalls_is_a_408() -> None:
    upstream = FakeUpstream(echo)
    async with serving(upstream, policy(limits=Limits(body_timeout=0.05))) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 10", method="POST") + b"four")
        reply = await client.reply()
        assert (reply.status, reply.grant, reply.value("Connection")) == (408, PAGE, "close")
        client.finish()
        assert await client.rest() == b""
        assert (await proxy.record()).verdict.code is Code.BODY_TIMEOUT


async def test_content_that_stalls_behind_the_response_head_drops_the_connection() -> None:
    async def play(asked: Asked) -> FakeResponse:
        response = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
        assert asked.body is not None
        body = asked.body

        async def pump() -> None:
            try:
                while await body.read():
                    pass
            except BodyRefusedError as failure:
                response.fail(failure)

        asyncio.get_running_loop().create_task(pump())
        return response

    async with serving(FakeUpstream(play), policy(limits=Limits(body_timeout=0.05))) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 10", method="POST") + b"four")
        with pytest.raises(CutShortError):
            await client.reply()
        assert (await proxy.record()).error == "body-timeout"


@pytest.mark.parametrize(
    "chunks", [b"3\r\nabcd\r\n", b"0x3\r\nabc\r\n", b"3\nabc\n", b"-1\r\n", b"\r\n"]
)
async def test_malformed_chunks_are_a_400_at_once(chunks: bytes) -> None:
    upstream = FakeUpstream(echo)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST"))
        await until(lambda: bool(upstream.asked))
        await client.send(chunks)
        reply = await client.reply()
        assert (reply.status, reply.grant, reply.value("Connection")) == (400, PAGE, "close")
        assert await client.rest() == b""
        assert (await proxy.record()).verdict.code is Code.BAD_FRAMING


async def test_an_early_answer_arrives_while_the_client_is_still_sending() -> None:
    upstream = FakeUpstream(replying(FakeResponse(b"too much", status=413)))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 20000000", method="POST"))
        sending = asyncio.ensure_future(client.send(bytes(4_000_000)))
        reply = await client.reply()
        assert (reply.status, reply.content) == (413, b"too much")
        assert reply.value("Connection") == "close"
        await sending


# -- failures ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (UpstreamFault.UNREACHABLE, 502),
        (UpstreamFault.CLOSED, 502),
        (UpstreamFault.RESPONSE_TIMEOUT, 504),
        (UpstreamFault.BUSY, 503),
        (UpstreamFault.NO_DESCRIPTOR, 503),
    ],
)
async def test_a_failing_upstream_is_an_answer_that_the_page_can_read(
    fault: UpstreamFault, status: int
) -> None:
    upstream = FakeUpstream(replying(UpstreamError(fault, "it failed"), FakeResponse()))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(post(b"content"))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (status, PAGE)
        assert reply.value("Content-Type") == "application/problem+json"
        await client.send(get())
        assert (await client.reply()).status == 200
        assert (await proxy.record()).verdict.code == fault.value


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE])
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_cut_response_never_looks_complete(framing: Framing, version: bytes) -> None:
    fields = [(b"Content-Length", b"100")] if framing is Framing.LENGTH else []
    answer = FakeResponse(b"half", framing=framing, fields=fields, ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get().replace(b"HTTP/1.1", version))
        head = await client.head()
        assert b"200 OK" in head
        await until(lambda: not answer.untaken)
        answer.fail(UpstreamError(UpstreamFault.TRUNCATED, "cut"))
        if framing is Framing.LENGTH:
            assert await client.rest() == b"half"
        elif version == b"HTTP/1.1":
            assert await client.rest() == b"4\r\nhalf\r\n"
        else:
            with pytest.raises(CutShortError):
                await client.rest()
        record = await proxy.record()
        assert (record.status, record.error) == (200, "upstream-truncated")
        assert record.detail == "cut"
    assert answer.aborted


async def test_an_upstreams_407_becomes_a_502() -> None:
    answer = FakeResponse(b"log in", status=407, ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        reply = await proxy.ask(get())
    assert (reply.status, reply.grant) == (502, PAGE)
    assert answer.aborted


@pytest.mark.parametrize("leave", ["close", "half-close", "reset"])
async def test_a_client_that_leaves_cancels_the_upstream_request(leave: str) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        if leave == "close":
            await client.close()
        elif leave == "half-close":
            client.finish()
        else:
            client.reset()
        await until(lambda: upstream.asked[0].cancelled)
        record = await proxy.record()
        assert (record.status, record.error) == (499, "client-left")


async def test_a_client_that_leaves_a_silent_stream_ends_it() -> None:
    answer = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.head()
        await client.close()
        await until(lambda: answer.aborted)
        record = await proxy.record()
        assert (record.status, record.error) == (200, "client-left")


async def test_a_slow_reader_holds_the_upstream_and_costs_a_bounded_buffer() -> None:
    answer = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    piece = bytes(16 * 1024)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get())
        await until(lambda: bool(proxy.server.in_flight))
        # More than the kernel takes; a small window makes it slow to read.
        for _ in range(400):
            answer.put(piece)
        connection = proxy.connection
        await until(lambda: connection.wire.is_writing_paused)
        assert answer.untaken > 0
        assert connection.wire.transport is not None
        assert connection.wire.transport.get_write_buffer_size() <= 16 * 1024 + len(piece) + 16
        answer.end()
        reply = await client.reply()
    assert len(reply.content) == 400 * len(piece)


async def test_a_reader_that_stalls_is_dropped_after_the_write_timeout() -> None:
    answer = FakeResponse(bytes(20_000_000), ended=False)
    async with serving(
        FakeUpstream(replying(answer)), policy(limits=Limits(write_timeout=0.05))
    ) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get())
        record = await proxy.record()
        assert record.error == "client-stalled"
        await until(lambda: not proxy.server.connections)
        with pytest.raises(CutShortError):
            await client.reply()
    assert answer.aborted


async def test_an_internal_fault_is_a_500_for_one_exchange_and_a_logged_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    upstream = FakeUpstream(replying(RuntimeError("a secret"), FakeResponse()))
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        reply = await client.reply()
        assert (reply.status, reply.grant) == (500, PAGE)
        assert b"secret" not in reply.content
        assert await client.rest() == b""
        assert (await proxy.ask(get())).status == 200
    [logged] = caplog.records
    assert logged.exc_info is not None


async def test_an_internal_fault_after_the_head_drops_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = FakeResponse(b"some", ended=False, framing=Framing.CHUNKED)
    async with serving(FakeUpstream(replying(answer))) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.head()
        answer.fail(RuntimeError("a fault"))
        assert await client.rest() == b"4\r\nsome\r\n"
        assert (await proxy.record()).error == "internal-error"
    assert len(caplog.records) == 1


# -- records and reloads -----------------------------------------------------------------


async def test_the_record_describes_the_exchange() -> None:
    async with serving(FakeUpstream(echo)) as proxy:
        await proxy.ask(post(b"content", "/path?q", "traceparent: 00-ab-cd-01"))
        record = await proxy.record()
    assert (record.method, record.target, record.status) == ("POST", b"/path?q", 200)
    assert (record.client, record.origin) == ("127.0.0.1", PAGE.encode())
    assert record.traceparent == b"00-ab-cd-01"
    assert record.verdict.code is Code.ORIGIN_ALLOWED
    assert record.received == 7
    assert record.sent > 100
    assert record.error is None
    assert record.upstream_s is not None
    assert 0 < record.upstream_s <= record.duration_s < 10
    assert record.started > 1_700_000_000
    assert record.forward is not None
    assert record.forward.request.target == b"/path?q"
    assert record.upstream_head is not None
    assert record.response is not None
    assert (b"Access-Control-Allow-Origin", PAGE.encode()) in record.response.fields
    assert all(b"Access-Control" not in name for name, _ in record.upstream_head.fields)


async def test_the_record_of_what_is_answered_here_has_no_upstream() -> None:
    async with serving() as proxy:
        await proxy.ask(get(origin="http://evil.example"))
        record = await proxy.record()
    assert (record.forward, record.upstream_head) == (None, None)
    assert record.response is not None
    assert record.response.status == 403


async def test_nobody_who_listens_costs_nothing_but_the_record() -> None:
    async with serving() as proxy:
        proxy.server.service.journal = None
        assert (await proxy.ask(get())).status == 200
        assert proxy.records == []


async def test_an_exchange_keeps_the_policy_that_it_began_with() -> None:
    release = asyncio.Event()

    async def play(asked: Asked) -> FakeResponse:
        await release.wait()
        return FakeResponse()

    upstream = FakeUpstream(play)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        closed = replace(proxy.server.policy, routes=())
        proxy.server.policy = closed
        release.set()
        reply = await client.reply()
        assert (reply.status, reply.grant) == (200, PAGE)
        await client.send(get())
        assert (await client.reply()).status == 404
