"""Content that nobody wants: read within bounds, or the end of its connection."""

import pytest

from tests.fakes import FakeResponse, FakeUpstream, get, replying, serving

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


async def test_endless_chunks_are_read_for_a_megabyte_and_no_further() -> None:
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
