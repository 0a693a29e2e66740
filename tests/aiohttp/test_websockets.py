"""WebSockets through the application, seen from both ends as bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp.test_utils import BaseTestServer

from corsproxy.aiohttp import proxy_app
from corsproxy.aiohttp.websocket import FrameReader, frame
from corsproxy.shell.feed.records import ExchangeRecord
from tests.aiohttp.embedded import (
    PAGE,
    connect,
    frame_of_client,
    running,
    server_frame,
    switched,
    upgrade,
)
from tests.fakes import Client
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer

_TEXT, _BINARY, _CLOSE = 1, 2, 8


class Ends(NamedTuple):
    """Both ends of a WebSocket, the head with which it began, and what is between them."""

    client: Client
    upstream: PeerConnection
    head: bytes
    proxy: BaseTestServer


@asynccontextmanager
async def websocket(
    *answered: str, asked: tuple[str, ...] = (), **keys: Any
) -> AsyncIterator[Ends]:
    """A WebSocket that was opened with these fields on each side."""
    opened: asyncio.Queue[PeerConnection] = asyncio.Queue()
    over = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(switched(*answered))
        opened.put_nowait(peer)
        await over.wait()

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE], **keys)
        async with running(app) as proxy:
            client = await connect(proxy.port)
            await client.send(upgrade(*asked))
            head = await client.head()
            async with asyncio.timeout(DEADLINE_SECONDS):
                peer = await opened.get()
            try:
                yield Ends(client, peer, head, proxy)
            finally:
                over.set()
                await client.close()


async def test_an_upstream_that_ends_without_a_close_gives_none_to_the_page() -> None:
    async with websocket() as (client, upstream, *_):
        await upstream.send(server_frame(_TEXT, b"last words"))
        upstream.finish()
        # Which a page sees as 1006: a Close would tell it that all went well.
        assert FrameReader().feed(await client.rest()) == [(_TEXT, b"last words")]


async def test_an_upstream_that_dies_takes_the_client_with_it() -> None:
    async with websocket() as (client, upstream, *_):
        await upstream.reset()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(1)


async def test_a_client_that_dies_takes_the_upstream_with_it() -> None:
    async with websocket() as (client, upstream, *_):
        client.reset()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await upstream.closed() == b""


@pytest.mark.parametrize("content", [b"", b"\x0f\xa1", b"\x0f\xa1as asked"])
async def test_a_close_passes_as_it_is_and_so_does_its_answer(content: bytes) -> None:
    async with websocket() as (client, upstream, *_):
        await upstream.send(server_frame(_CLOSE, content))
        size = 2 + len(content)
        assert FrameReader().feed(await client.exactly(size)) == [(_CLOSE, content)]
        await client.send(frame(_CLOSE, content[:2]))
        assert await frame_of_client(upstream) == (_CLOSE, content[:2])
        upstream.finish()
        assert await client.rest() == b""
    async with websocket() as (client, upstream, *_):
        await client.send(frame(_CLOSE, content))
        assert await frame_of_client(upstream) == (_CLOSE, content)
        await upstream.send(server_frame(_CLOSE, content[:2]))
        upstream.finish()
        assert FrameReader().feed(await client.rest()) == [(_CLOSE, content[:2])]


@pytest.mark.parametrize(
    "data",
    [
        upgrade(version="12"),
        upgrade(key="short"),
        upgrade(key=""),
    ],
)
async def test_an_invalid_handshake_is_a_400_and_not_forwarded(data: bytes) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        raise AssertionError

    async with RawPeer(script) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = await connect(proxy.port)
            await client.send(data)
            reply = await client.reply()
            assert reply.status == 400
            assert reply.value("Corsproxy-Reason") == "bad-request"
            await client.close()


async def test_the_101_has_the_upstreams_fields_and_the_users() -> None:
    rules = {"set": {"X-Set": "yes"}, "remove": ["X-Secret"]}
    answered = ("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "X-Secret: s", "Server: own")
    async with websocket(*answered, response_headers=rules) as (_, _, head, _):
        lines = head.decode().split("\r\n")
        assert {"Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "X-Set: yes"} <= set(lines)
        assert "Server: own" in lines
        assert not [each for each in lines if each.lower().startswith(("x-secret", "content-"))]


async def test_an_upstream_may_choose_no_subprotocol() -> None:
    offers = ("Sec-WebSocket-Protocol: chat, superchat",)
    async with websocket(asked=offers) as (client, upstream, head, _):
        assert b"sec-websocket-protocol" not in head.lower()
        assert offers[0].encode() in upstream.heads[0]
        await client.send(frame(_TEXT, b"still"))
        assert await frame_of_client(upstream) == (_TEXT, b"still")
    chosen = "Sec-WebSocket-Protocol: superchat"
    async with websocket(chosen, asked=offers) as (_, _, head, _):
        assert chosen.encode() in head


async def test_large_messages_pass_whole_both_ways() -> None:
    content = bytes(range(256)) * 12 * 1024
    async with websocket() as (client, upstream, *_):
        await client.send(frame(_BINARY, content))
        assert await frame_of_client(upstream) == (_BINARY, content)
        sent = server_frame(_BINARY, content)
        received, _ = await asyncio.gather(client.exactly(len(sent)), upstream.send(sent))
        assert received == sent


async def test_too_large_a_message_ends_it_with_1009() -> None:
    async with websocket() as (client, upstream, *_):
        await upstream.send(server_frame(_BINARY, bytes(5 * 1024 * 1024))[:1000])
        head = await client.exactly(4)
        assert FrameReader().feed(head) == [(_CLOSE, b"\x03\xf1")]


async def test_a_shutdown_tells_both_ends_1001() -> None:
    records: list[ExchangeRecord] = []
    going_away = (_CLOSE, b"\x03\xe9")
    async with websocket(on_record=records.append) as (client, upstream, _, proxy):
        await client.send(frame(_TEXT, b"one"))
        assert await frame_of_client(upstream) == (_TEXT, b"one")
        shutting = asyncio.ensure_future(proxy.close())
        assert await frame_of_client(upstream) == going_away
        assert FrameReader().feed(await client.exactly(4)) == [going_away]
        await upstream.send(server_frame(_CLOSE, going_away[1]))
        upstream.finish()
        await client.send(frame(_CLOSE, going_away[1]))
        assert await client.rest() == b""
        await asyncio.wait_for(shutting, DEADLINE_SECONDS)
    assert [record.error for record in records] == ["shutdown"]
