"""From a client's bytes to an upstream's bytes and back, with nothing faked in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from corsproxy.core.policy import Policy, UpstreamAddress
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.fakes import Client, CutShortError, Proxy, get, post, serving
from tests.peers import PeerConnection, RawPeer, Script, until
from tests.policies import PAGE, policy, route


@asynccontextmanager
async def before(script: Script) -> AsyncIterator[tuple[Proxy, RawPeer]]:
    """A proxy in front of an upstream that follows `script`."""
    async with RawPeer(script) as upstream:
        pools = UpstreamPools()
        async with serving(pools, forwarding_to(upstream.port)) as proxy:
            yield proxy, upstream
            await pools.close()


def forwarding_to(port: int) -> Policy:
    return policy(route(upstream=UpstreamAddress("http", "127.0.0.1", port)))


async def test_the_request_arrives_byte_for_byte() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 Fine\r\nX-A: \xff\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n")
        await peer.send(b"Content-Length: 2\r\n\r\nok")
        await peer.closed()

    async with before(script) as (proxy, upstream):
        client = await proxy.connect()
        await client.send(get("/a%2Fb/%7e?x=%zz&", "X-One: \xe9", "x-one: 2", "Cookie: a=b"))
        head = await client.head()
    [sent] = upstream.heads
    assert sent.startswith(b"GET /a%2Fb/%7e?x=%zz& HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-One: \xe9\r\nx-one: 2\r\nCookie: a=b\r\n" in sent
    assert head.startswith(b"HTTP/1.1 200 Fine\r\nX-A: \xff\r\nSet-Cookie: a=1")
    assert b"\r\nSet-Cookie: b=2" in head


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 4\n\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 004\r\n\r\n",
    ],
    ids=["LF", "length twice", "zeros"],
)
async def test_what_browsers_forgive_arrives_mended(head: bytes) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(head + b"a\n\r\n")
        await peer.closed()

    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get())
        reply = await client.reply()
        assert reply.content == b"a\n\r\n"
        assert (reply.value("X-A"), reply.value("Content-Length")) == ("b", "4")


async def test_a_426_arrives_with_its_upgrade() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        await peer.closed()

    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get())
        reply = await client.reply()
        assert (reply.status, reply.value("Upgrade")) == (426, "websocket")
        assert reply.value("Connection") == "Upgrade"


CUTS = {
    "a length, closed": (b"Content-Length: 9\r\n\r\nhalf", "close"),
    "a length, reset": (b"Content-Length: 9\r\n\r\nhalf", "reset"),
    "chunks, closed": (b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", "close"),
    "chunks, reset": (b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", "reset"),
    "between chunks": (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close"),
    "until close, reset": (b"\r\nhalf", "reset"),
}


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("case", CUTS)
async def test_a_response_that_the_upstream_cuts_never_looks_complete(
    case: str, version: str
) -> None:
    content, end = CUTS[case]

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + content)
        await proceed.wait()
        if end == "reset":
            await peer.reset()

    proceed = asyncio.Event()
    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get().replace(b"HTTP/1.1", version.encode()))
        answered = asyncio.ensure_future(client.reply())
        await until(lambda: proxy.server.in_flight == 1)
        proceed.set()
        with pytest.raises(CutShortError):
            await answered
        assert (await proxy.record()).error == "upstream-truncated"


@pytest.mark.parametrize("end", ["close", "reset", "read on"])
async def test_an_early_refusal_reaches_a_client_that_is_still_sending(end: str) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.exactly(100_000)
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        if end == "reset":
            await peer.reset()
        elif end == "read on":
            await peer.closed()

    async with before(script) as (proxy, _):
        for _ in range(5):
            client = await proxy.connect()
            await client.send(get("/", "Content-Length: 20000000", method="POST"))
            sending = asyncio.ensure_future(_send_all(client, 20_000_000))
            reply = await client.reply()
            assert (reply.status, reply.content, reply.grant) == (413, b"large", PAGE)
            sending.cancel()
            await asyncio.wait([sending])
            client.reset()


async def _send_all(client: Client, size: int) -> None:
    for _ in range(size // 100_000):
        await client.send(bytes(100_000))


async def test_an_event_arrives_before_the_next_one_is_sent() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            await peer.send(b"data: %d\n\n" % number)
            await seen.acquire()

    seen = asyncio.Semaphore(0)
    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get())
        await client.head()
        for number in range(3):
            assert await client.exactly(14) == b"9\r\ndata: %d\n\n\r\n" % number
            seen.release()
        assert await client.exactly(5) == b"0\r\n\r\n"


async def test_a_websocket_is_a_tunnel_for_bytes() -> None:
    async def script(peer: PeerConnection) -> None:
        head = await peer.head()
        assert b"\r\nConnection: Upgrade\r\n" in head
        assert b"\r\nUpgrade: websocket\r\n" in head
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n")
        await peer.send(b"Upgrade: websocket\r\n\r\nhello")
        await peer.send((await peer.exactly(4))[::-1])
        await peer.send(await peer.closed())

    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get("/", "Connection: Upgrade", "Upgrade: websocket") + b"\x01\x02")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.exactly(5) == b"hello"
        await client.send(b"\x03\x04 and more")
        assert await client.exactly(4) == b"\x04\x03\x02\x01"
        client.finish()
        assert await client.rest() == b" and more"


@pytest.mark.parametrize("streaming", [False, True], ids=["waiting", "streaming"])
async def test_the_upstream_sees_within_a_second_that_the_client_has_left(streaming: bool) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        if streaming:
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        asked.set()
        await peer.closed()
        closed.set()

    asked, closed = asyncio.Event(), asyncio.Event()
    async with before(script) as (proxy, _):
        client = await proxy.connect()
        await client.send(get())
        await asked.wait()
        await client.close()
        async with asyncio.timeout(20):
            await closed.wait()


async def test_an_upload_and_a_download_of_megabytes_survive() -> None:
    content = bytes(range(256)) * 40_000

    async def script(peer: PeerConnection) -> None:
        for _ in range(2):
            await peer.head()
            received = await peer.exactly(len(content))
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received))
            await peer.send(received)

    async with before(script) as (proxy, _):
        client = await proxy.connect()
        for _ in range(2):
            sending = asyncio.ensure_future(client.send(post(content)))
            assert (await client.reply()).content == content
            await sending


@pytest.mark.parametrize(
    "framing", ["Content-Length: 1500000", "Transfer-Encoding: chunked", "Connection: close"]
)
async def test_bodies_at_many_paces_do_not_mix(framing: str) -> None:
    contents = [Random(number).randbytes(1_500_000) for number in range(6)]

    async def script(peer: PeerConnection) -> None:
        number = int((await peer.head())[6:7])
        content = b""
        while size := min(len(contents[0]) - len(content), [1_500_000, 100_000, 1_000][number % 3]):
            content += await peer.exactly(size)
            await asyncio.sleep(0)
        assert content == contents[number]
        await peer.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing.encode())
        for begin in range(0, len(content), 70_000):
            piece = content[begin : begin + 70_000]
            await peer.send(_chunk(piece) if "chunked" in framing else piece)
        await peer.send(b"0\r\n\r\n" if "chunked" in framing else b"")

    async def visit(proxy: Proxy, number: int) -> bytes:
        client = await proxy.connect(receive_buffer=[None, 20_000][number // 3])
        sending = asyncio.ensure_future(client.send(post(contents[number], f"/{number}")))
        reply = await client.reply()
        await sending
        return reply.content

    async with before(script) as (proxy, _):
        visits = [visit(proxy, number) for number in range(len(contents))]
        assert await asyncio.gather(*visits) == contents


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_pipelined_requests_meet_one_upstream_in_their_order() -> None:
    async def script(peer: PeerConnection) -> None:
        for _ in range(20):
            target = (await peer.head()).split(b" ")[1]
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target) + target)

    async with before(script) as (proxy, upstream):
        client = await proxy.connect()
        await client.send(b"".join(get(f"/{number}") for number in range(20)))
        for number in range(20):
            assert (await client.reply()).content == b"/%d" % number
        assert len(upstream.connections) == 1


async def test_an_upstream_that_talks_nonsense_is_a_502_that_the_page_can_read() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"SSH-2.0-OpenSSH_9.6\r\n")
        await peer.closed()

    async with before(script) as (proxy, upstream):
        reply = await proxy.ask(get())
        assert (reply.status, reply.grant) == (502, PAGE)
        assert len(upstream.connections) == 1


async def test_an_upstream_that_is_not_there_is_a_502_that_the_page_can_read() -> None:
    async with RawPeer(_nothing) as upstream:
        port = upstream.port
    pools = UpstreamPools()
    async with serving(pools, forwarding_to(port)) as proxy:
        reply = await proxy.ask(get())
        assert (reply.status, reply.grant) == (502, PAGE)
    await pools.close()


async def _nothing(peer: PeerConnection) -> None: ...
