"""listener/http1_exchange.py: framing and persistence; what one side says is said anew."""

import asyncio

import pytest

from tests.fakes import Asked, FakeResponse, FakeUpstream, get, never, serving
from tests.peers import until


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
