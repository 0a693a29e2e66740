"""The switch in front of several proxies."""

import asyncio
import socket
import struct
from types import SimpleNamespace
from typing import cast

import pytest

from programs.soak.switch import is_ready, pass_on
from tests.peers import PeerConnection, RawPeer, Script
from tests.running import Running


async def _ready(peer: PeerConnection) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def _draining(peer: PeerConnection) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


async def _closing(peer: PeerConnection) -> None:
    await peer.head()


async def _resetting(peer: PeerConnection) -> None:
    await peer.head()
    await peer.reset()


@pytest.mark.parametrize(
    ("script", "expected"),
    [(_ready, True), (_draining, False), (_closing, False), (_resetting, False)],
)
async def test_only_a_probe_that_passes_makes_a_proxy_ready(script: Script, expected: bool) -> None:
    async with RawPeer(script) as admin:
        proxy = cast("Running", SimpleNamespace(admin_port=admin.port))
        assert await is_ready(proxy) is expected


async def test_an_end_that_meets_a_reset_is_passed_on_as_one() -> None:
    """The kernel knows of it already, and the event loop does not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        _, writer = await asyncio.open_connection(*listening.getsockname())
        gone, _ = listening.accept()
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    ended = asyncio.StreamReader()
    ended.feed_eof()
    await pass_on(ended, writer)
    assert writer.transport.is_closing()
