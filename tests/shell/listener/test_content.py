"""shell/listener/content.py: what a request holds, as it arrives."""

import asyncio
from random import Random

import pytest

from corsproxy.core.verdicts import Code
from corsproxy.shell.listener.content import NO_CONTENT, Content
from corsproxy.shell.listener.faults import BodyRefusedError
from corsproxy.shell.streams.piece import PIECE_SIZE
from tests.fakes import Asked, FakeResponse, FakeUpstream, echo, get, never, post, serving
from tests.peers import until

MUCH = Random(1).randbytes(5 * PIECE_SIZE)


def test_no_content_is_at_its_end() -> None:
    assert (NO_CONTENT.has_ended, NO_CONTENT.at_end, NO_CONTENT.take()) == (True, True, b"")


def test_what_comes_behind_a_failure_is_kept_by_nobody() -> None:
    content = Content(None)
    content.add(b"one")
    content.fail(BodyRefusedError(Code.BODY_TIMEOUT))
    content.add(b"two")
    assert (content.take(), content.received) == (b"one", 3)


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


async def test_what_follows_counted_content_and_is_no_request_is_answered_in_its_turn() -> None:
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
