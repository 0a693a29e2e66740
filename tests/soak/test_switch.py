"""The switch in front of several proxies."""

from types import SimpleNamespace
from typing import cast

import pytest

from programs.soak.switch import is_ready
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
