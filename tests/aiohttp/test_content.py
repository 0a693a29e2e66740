"""Content through an application: streamed, of any size, and over TLS."""

import asyncio
import gzip
from pathlib import Path

import pytest
from aiohttp import web
from trustme import CA

from corsproxy.aiohttp import proxy_app
from corsproxy.shell.feed.records import ExchangeRecord
from tests.aiohttp.embedded import PAGE, ask, connect, running
from tests.certificates import contexts
from tests.fakes import Client, get
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer, answers, settled, until

SIZE = 64 * 1024 * 1024
PIECE = bytes(64 * 1024)


async def test_an_event_arrives_before_the_next_is_sent() -> None:
    seen = asyncio.Event()
    first, second = b"data: 1\n\n", b"data: 2\n\n"

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        await peer.send(head + first)
        await seen.wait()
        await peer.send(second)

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/", origin=PAGE))
            await client.head()
            assert await client.exactly(14) == b"9\r\n" + first + b"\r\n"
            seen.set()
            assert await client.exactly(14) == b"9\r\n" + second + b"\r\n"
            await client.close()


async def test_a_download_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def script(peer: PeerConnection) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        while sent < SIZE:
            await peer.send(PIECE)
            sent += len(PIECE)

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/", origin=PAGE))
            await client.head()
            assert await settled(lambda: sent) < SIZE // 2
            for _ in range(SIZE // len(PIECE)):
                await client.exactly(len(PIECE))
            assert sent == SIZE
            await client.close()


async def test_an_upload_waits_for_an_upstream_that_does_not_read() -> None:
    sent = 0
    may_read = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await may_read.wait()
        for _ in range(SIZE // len(PIECE)):
            await peer.exactly(len(PIECE))
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    async def upload(client: Client) -> None:
        nonlocal sent
        head = get("/", f"Content-Length: {SIZE}", method="POST", origin=PAGE)
        await client.send(head)
        while sent < SIZE:
            await client.send(PIECE)
            sent += len(PIECE)

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = await connect(proxy.port)
            uploading = asyncio.ensure_future(upload(client))
            assert await settled(lambda: sent) < SIZE // 2
            may_read.set()
            async with asyncio.timeout(DEADLINE_SECONDS):
                await uploading
            reply = await client.reply()
            assert (reply.content, reply.grant) == (b"done", PAGE)
            await client.close()


@pytest.mark.parametrize("is_mounted", [False, True])
@pytest.mark.parametrize("lines", [("Content-Length: %d",), ("Transfer-Encoding: chunked",)])
async def test_compressed_content_is_never_longer_than_it_says(
    lines: tuple[str, ...], *, is_mounted: bool
) -> None:
    """Decoded content with the length of the encoded one would end in a request of its own."""
    content = gzip.compress(bytes(100_000))
    got = b""

    async def script(peer: PeerConnection) -> None:
        nonlocal got
        head = await peer.head()
        is_chunked = b"\r\nTransfer-Encoding: chunked\r\n" in head
        got = await (peer.until(b"\r\n0\r\n\r\n") if is_chunked else peer.exactly(len(content)))
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        await peer.closed()

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        outer = web.Application()
        outer.add_subapp("/api", app)
        async with running(outer if is_mounted else app) as proxy:
            framing = [line.replace("%d", str(len(content))) for line in lines]
            head = get("/api/", "Content-Encoding: gzip", *framing, method="POST", origin=PAGE)
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
            reply = await ask(proxy.port, head + (content if "%d" in lines[0] else body), "POST")
            assert (reply.status, reply.content) == (200, b"done")
        has_coding = b"Content-Encoding" in upstream.heads[0]
        assert has_coding is (content in got) is not is_mounted
        assert len(upstream.heads) == 1


async def test_an_unreachable_upstream_is_a_readable_502() -> None:
    async with RawPeer(answers(b"")) as upstream:
        port = upstream.port
    app = proxy_app(f"http://127.0.0.1:{port}", allow_origins=[PAGE])
    async with running(app) as proxy:
        reply = await ask(proxy.port, get("/", origin=PAGE))
        assert (reply.status, reply.grant) == (502, PAGE)
        reason = reply.value("Corsproxy-Reason")
        assert reason is not None
        assert reason.partition(";")[0] == "upstream-unreachable"


async def test_over_tls_cookies_and_links_are_those_of_a_secure_client() -> None:
    certified, trusting = contexts(CA())
    cookie = "a=1; Secure; SameSite=None"
    head = f"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: {cookie}; Domain=a.test\r\n"
    async with RawPeer(answers(head.encode() + b"Content-Length: 0\r\n\r\n")) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        app = proxy_app(url, allow_origins=[PAGE], forwarded="on")
        async with running(app, certified) as proxy:
            client = await connect(proxy.port, trusting)
            await client.send(get("/", origin=PAGE))
            reply = await client.reply()
            assert reply.value("Set-Cookie") == cookie
            assert reply.grant == PAGE
            assert b"\r\nX-Forwarded-Proto: https\r\n" in upstream.heads[0]
            await client.close()


async def test_missing_content_is_a_408(tmp_path: Path) -> None:
    config = tmp_path / "corsproxy.yaml"
    async with RawPeer(answers(b"")) as upstream:
        config.write_text(f"""\
limits: {{body_timeout: 0.1}}
routes:
  - path: /
    upstream: http://127.0.0.1:{upstream.port}
    cors: {{allow_origins: ["{PAGE}"]}}
""")
        async with running(proxy_app(config=config)) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/", "Content-Length: 9", method="POST", origin=PAGE) + b"some")
            reply = await client.reply()
            assert (reply.status, reply.grant) == (408, PAGE)
            await client.close()


async def test_a_client_is_told_to_continue_when_the_upstream_wants_its_content() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        content = await peer.exactly(4)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + content)

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            for origin, status in ((PAGE, b"100"), ("https://evil.example", b"403")):
                client = await connect(proxy.port)
                lines = ("Content-Length: 4", "Expect: 100-continue")
                await client.send(get("/", *lines, method="POST", origin=origin))
                assert (await client.head()).split(b" ")[1] == status
                if status == b"100":
                    await client.send(b"four")
                    assert (await client.reply()).content == b"four"
                await client.close()


async def test_a_stalled_client_is_dropped(tmp_path: Path) -> None:
    config = tmp_path / "corsproxy.yaml"
    records: list[ExchangeRecord] = []

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        while True:
            await peer.send(PIECE)

    async with RawPeer(script) as upstream:
        config.write_text(f"""\
limits: {{write_timeout: 0.1}}
routes:
  - path: /
    upstream: http://127.0.0.1:{upstream.port}
    cors: {{allow_origins: ["{PAGE}"]}}
""")
        async with running(proxy_app(config=config, on_record=records.append)) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/", origin=PAGE))
            await until(lambda: bool(records))
            await client.close()
    assert records[0].error == "client-stalled"
