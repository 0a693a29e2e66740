"""HTTP/2 as its clients see it: answers, windows, floods, and how a connection ends."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from trustme import CA

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.http2.frames import ErrorCode
from tests.certificates import contexts
from tests.fakes import (
    Asked,
    FakeResponse,
    FakeUpstream,
    Proxy,
    echo,
    get,
    never,
    replying,
    serving,
)
from tests.http2.frames import BEGINNING, GET, POST, block, data, frame, headers, ping, reset
from tests.http2_client import H2Client, ResetError, connected
from tests.peers import DEADLINE_SECONDS, until
from tests.policies import PAGE, policy

Tls = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls() -> Tls:
    return contexts(CA(), "h2", "http/1.1")


@pytest.fixture
async def proxy(tls: Tls) -> AsyncIterator[Proxy]:
    async with serving(FakeUpstream(echo), policy(), tls) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[H2Client]:
    async with connected(proxy) as client:
        yield client


async def test_an_allowed_page_gets_its_answer(client: H2Client, proxy: Proxy) -> None:
    for _ in range(3):
        reply = await client.get("/a?b=c")
        assert (reply.status, reply.grant) == (200, PAGE)
        assert reply.value("date") is not None
        assert reply.value("connection") is None
    assert (await proxy.record(2)).request.target == b"/a?b=c"


async def test_the_upstream_gets_http1(tls: Tls) -> None:
    upstream = FakeUpstream()
    async with serving(upstream, policy(), tls) as proxy, connected(proxy) as client:
        await client.get("/x", [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"te", b"trailers")])
    [asked] = upstream.asked
    assert (asked.request.method, asked.request.target) == ("GET", b"/x")
    assert asked.values(b"host") == [b"api.test:9000"]
    assert asked.values(b"cookie") == [b"a=1; b=2"]
    assert asked.values(b"via") == [b"2 corsproxy"]
    assert asked.values(b"te") == []
    assert asked.body is None


async def test_preflights_and_refusals_are_answered(client: H2Client) -> None:
    asks = [(b"access-control-request-method", b"PUT")]
    preflight = await client.reply(await client.ask(method="OPTIONS", fields=asks))
    assert (preflight.status, preflight.grant) == (204, PAGE)
    stream = await client.ask(origin="https://evil.example")
    refused = await client.reply(stream)
    assert (refused.status, refused.grant) == (403, None)
    assert (refused.value("corsproxy-reason") or "").startswith("origin-not-allowed")


async def test_an_unknown_host_is_misdirected(client: H2Client) -> None:
    stream = client.h2.get_next_available_stream_id()
    fields = [(name, b"evil.example" if name == b":authority" else value) for name, value in GET]
    client.h2.send_headers(stream, fields, end_stream=True)
    await client.flush()
    assert (await client.reply(stream)).status == 421


async def test_content_goes_both_ways_as_it_was_sent(client: H2Client) -> None:
    content = bytes(range(256)) * 40_000
    stream = await client.ask(method="POST", content=content)
    assert (await client.reply(stream)).content == content


async def test_many_requests_are_answered_at_once_and_out_of_order(tls: Tls) -> None:
    first, second = FakeResponse(b"1", ended=False), FakeResponse(b"2")
    async with (
        serving(FakeUpstream(replying(first, second)), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        slow, quick = await client.ask("/slow"), await client.ask("/quick")
        assert (await client.reply(quick)).content == b"2"
        first.end()
        assert (await client.reply(slow)).content == b"1"


async def test_an_event_leaves_when_it_arrives(tls: Tls) -> None:
    events = FakeResponse(
        b"", fields=[(b"Content-Type", b"text/event-stream")], framing=Framing.CHUNKED, ended=False
    )
    async with (
        serving(FakeUpstream(replying(events)), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        stream = await client.ask()
        await client.head(stream)
        for number in range(3):
            events.put(b"data: %d\n\n" % number)
            await client.content(stream, 9 * (number + 1))
        events.end()
        assert (await client.reply(stream)).value("transfer-encoding") is None


async def test_a_body_that_is_cut_is_reset(tls: Tls) -> None:
    cut = FakeResponse(b"half", framing=Framing.CHUNKED, ended=False)
    async with (
        serving(FakeUpstream(replying(cut, FakeResponse())), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        stream = await client.ask()
        await client.content(stream, 4)
        cut.fail(UpstreamError(UpstreamFault.TRUNCATED, "it ended early"))
        with pytest.raises(ResetError) as ended:
            await client.reply(stream)
        assert ended.value.code == ErrorCode.INTERNAL_ERROR
        # It is the stream alone that ends.
        assert (await client.get()).status == 200
        assert (await proxy.record(0)).error == "upstream-truncated"


async def test_a_client_that_cancels_cancels_at_the_upstream(tls: Tls) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream, policy(), tls) as proxy, connected(proxy) as client:
        one, _ = await client.ask("/1"), await client.ask("/2")
        await until(lambda: len(upstream.asked) == 2)
        assert proxy.server.in_flight == 2
        await client.cancel(one)
        await until(lambda: upstream.asked[0].cancelled)
        assert not upstream.asked[1].cancelled
        assert (await proxy.record(0)).error == "client-left"


async def test_a_client_that_leaves_cancels_everything(tls: Tls) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream, policy(), tls) as proxy:
        async with connected(proxy) as client:
            await client.ask("/1")
            await client.ask("/2", method="POST", content=b"x", ends=False)
            await until(lambda: len(upstream.asked) == 2)
        await until(lambda: all(asked.cancelled for asked in upstream.asked))
        await until(lambda: not proxy.server.connections)


@pytest.mark.parametrize("length", [[(b"content-length", b"100000")], []])
async def test_too_much_content_is_refused_early(
    tls: Tls, length: list[tuple[bytes, bytes]]
) -> None:
    rules = policy(limits=Limits(body=1000))
    async with serving(FakeUpstream(echo), rules, tls) as proxy, connected(proxy) as client:
        stream = await client.ask(method="POST", fields=length, content=bytes(60_000), ends=False)
        reply = await client.reply(stream)
        assert (reply.status, reply.grant) == (413, PAGE)
        assert (await client.get()).status == 200


async def test_a_waiting_client_gets_a_100(client: H2Client) -> None:
    stream = await client.ask(method="PUT", fields=[(b"expect", b"100-continue")], ends=False)
    while not client.interim:
        await client.receive()
    await client.send(stream, b"content", ends=True)
    assert (await client.reply(stream)).content == b"content"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"x-%d" % number, b"v") for number in range(200)], 431),
        ([(b"x-%d" % number, b"v" * 8000) for number in range(12)], 431),
    ],
)
async def test_too_many_fields_are_refused(
    client: H2Client, fields: list[tuple[bytes, bytes]], status: int
) -> None:
    assert (await client.get(fields=fields)).status == status
    assert (await client.get()).status == 200


async def test_a_target_may_be_so_long(client: H2Client) -> None:
    assert (await client.get("/" + "a" * 9000)).status == 414
    assert (await client.get("/a/../b")).status == 400
    assert (await client.get()).status == 200


# Bounds


async def raw(proxy: Proxy, sent: bytes) -> H2Client:
    assert proxy.trusting is not None
    opened = await asyncio.open_connection(
        "127.0.0.1", proxy.port, ssl=proxy.trusting, server_hostname="localhost"
    )
    client = H2Client(*opened)
    client.is_raw = True
    client.h2.clear_outbound_data_buffer()
    await client.send_raw(sent)
    return client


@pytest.mark.parametrize(
    "sent",
    [b"", BEGINNING[:10], BEGINNING[:24], BEGINNING + frame(1, 0, 1, b"\x82"),
     BEGINNING + headers(1)[:12]],
    ids=["nothing", "half of a preface", "no settings", "half of a block", "half of a frame"],
)  # fmt: skip
async def test_what_does_not_end_is_ended(tls: Tls, sent: bytes) -> None:
    rules = policy(limits=Limits(head_timeout=0.3, keepalive_timeout=20))
    async with serving(FakeUpstream(), rules, tls) as proxy:
        client = await raw(proxy, sent)
        await client.until_gone()
        await client.close()


async def test_all_unfinished_heads_together_take_so_much(proxy: Proxy) -> None:
    heads = proxy.server.heads
    most, heads.left = heads.left, 40_000
    begun = BEGINNING + frame(1, 1, 1, block([*GET, (b"x-a", b"a" * 16_000)]))
    first, second = await raw(proxy, begun), await raw(proxy, begun)
    await until(lambda: heads.left < 10_000)
    third, fourth = await raw(proxy, begun), await raw(proxy, begun)
    await asyncio.gather(third.until_gone(), fourth.until_gone())
    await first.send_raw(frame(9, 4, 1))
    assert (await proxy.record()).status == 200
    for each in (first, second, third, fourth):
        await each.close()
    await until(lambda: heads.left == 40_000)
    heads.left = most


async def test_an_idle_connection_ends_with_goaway(tls: Tls) -> None:
    rules = policy(limits=Limits(keepalive_timeout=0.2))
    async with serving(FakeUpstream(), rules, tls) as proxy, connected(proxy) as client:
        await client.get()
        await client.until_gone()
        assert client.goaway == ErrorCode.NO_ERROR


@pytest.mark.parametrize(
    "sent",
    [
        b"".join(headers(stream) + reset(stream) for stream in range(1, 2001, 2)),
        ping() * 20_000,
        frame(4) * 10_000,
        headers(1, flags=4) + data(1) * 20_000,
        b"".join(headers(stream, [*GET, (b"X", b"1")]) for stream in range(1, 4001, 2)),
    ],
    ids=["resets", "pings", "settings", "empty frames", "malformed heads"],
)
async def test_a_flood_ends_its_own_connection_alone(proxy: Proxy, sent: bytes) -> None:
    async with connected(proxy) as other:
        client = await raw(proxy, BEGINNING)
        with suppress(ConnectionError):
            await client.send_raw(sent)
        await client.until_gone()
        await client.close()
        assert client.goaway in (ErrorCode.ENHANCE_YOUR_CALM, None)
        assert (await other.get()).status == 200
        await until(lambda: len(proxy.server.connections) == 1)


async def test_many_small_unread_pieces_delay_no_other_client(tls: Tls) -> None:
    async def never_but_to_gets(asked: Asked) -> FakeResponse:
        return FakeResponse() if asked.body is None else await never(asked)

    async with serving(FakeUpstream(never_but_to_gets), policy(), tls) as proxy:
        client = await raw(proxy, BEGINNING + headers(1, POST, flags=4))
        await client.send_raw(data(1, b"x") * 40_000)
        async with connected(proxy) as other:
            assert (await other.get()).status == 200
        assert client.goaway is None
        await client.close()


async def test_a_request_cancelled_at_once_is_not_forwarded(tls: Tls) -> None:
    upstream = FakeUpstream()
    async with serving(upstream, policy(), tls) as proxy:
        client = await raw(proxy, BEGINNING + headers(1) + reset(1) + headers(3))
        await until(lambda: bool(upstream.asked))
        await client.close()
        await until(lambda: not proxy.server.connections)
    assert len(upstream.asked) == 1


async def test_a_broken_connection_ends_in_words(proxy: Proxy) -> None:
    client = await raw(proxy, BEGINNING + data(1, b"x"))
    await client.until_gone()
    await client.close()
    assert client.goaway == ErrorCode.PROTOCOL_ERROR


# The end


async def test_a_stop_lets_streams_finish_and_takes_no_more(tls: Tls) -> None:
    response = FakeResponse(b"1", ended=False)
    async with (
        serving(FakeUpstream(replying(response)), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        stream = await client.ask()
        await client.content(stream, 1)
        draining = asyncio.create_task(proxy.server.drain(5.0))
        while client.goaway is None:
            await client.receive()
        assert (client.goaway, client.last_stream) == (ErrorCode.NO_ERROR, stream)
        response.end()
        await client.until_gone()
        assert client.ended[stream] is None
        await draining


async def test_a_stop_ends_event_streams_and_idle_connections(tls: Tls) -> None:
    events = FakeResponse(
        b"data: 1\n\n",
        fields=[(b"Content-Type", b"text/event-stream")],
        framing=Framing.CHUNKED,
        ended=False,
    )
    async with (
        serving(FakeUpstream(replying(events)), policy(), tls) as proxy,
        connected(proxy) as client,
        connected(proxy) as idle,
    ):
        stream = await client.ask()
        await client.content(stream, 9)
        await until(lambda: len(proxy.server.connections) == 2)
        await proxy.server.drain(5.0)
        await client.until_gone()
        await idle.until_gone()
        assert client.ended[stream] == ErrorCode.INTERNAL_ERROR
        assert idle.goaway == ErrorCode.NO_ERROR


async def test_a_stop_does_not_wait_for_a_client_that_has_everything(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers do not read from connections that they do not use, and so do not see the end."""
    monkeypatch.setattr("corsproxy.shell.listener.wire.LINGER_S", 1000.0)

    def unread() -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", proxy.port))
        assert proxy.trusting is not None
        wrapped = proxy.trusting.wrap_socket(sock, server_hostname="localhost")
        wrapped.sendall(BEGINNING + headers(1))
        return wrapped

    client = await asyncio.to_thread(unread)
    assert (await proxy.record()).status == 200
    [connection] = proxy.server.connections
    await until(lambda: not connection.has_unsent)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await proxy.server.drain(1000.0)
    client.close()


async def test_a_stop_answers_what_the_upstream_does_not(tls: Tls) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream, policy(), tls) as proxy, connected(proxy) as client:
        stream = await client.ask()
        await until(lambda: bool(upstream.asked))
        draining = asyncio.create_task(proxy.server.drain(0.1))
        assert (await client.reply(stream)).status == 503
        await draining


async def test_one_client_too_many_is_told_so(tls: Tls) -> None:
    rules = policy(limits=Limits(connections=1))
    async with serving(FakeUpstream(), rules, tls) as proxy, connected(proxy) as first:
        assert (await first.get()).status == 200
        async with connected(proxy) as second:
            assert (await second.get()).status == 503


async def test_who_offers_no_h2_gets_http1(proxy: Proxy) -> None:
    assert proxy.trusting is not None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    proxy.trusting = context
    assert (await proxy.ask(get())).status == 200
