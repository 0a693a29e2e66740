"""Asking a running proxy."""

import asyncio
import socket

import pytest

from tests.peers import PeerConnection, RawPeer, answers
from tests.process import finished

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n"
DRAINING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ndraining\n"


async def test_a_ready_proxy_is_well() -> None:
    async with RawPeer(answers(READY)) as admin:
        result = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert result == (0, "ready\n", "")
    assert admin.heads[0].startswith(b"GET /readyz HTTP/1.1\r\n")


async def test_a_draining_proxy_is_not() -> None:
    async with RawPeer(answers(DRAINING)) as admin:
        code, out, err = await finished("health", f"http://127.0.0.1:{admin.port}/readyz")
    assert (code, out, err) == (1, "", "corsproxy: not ready: 503 draining\n")


async def test_the_path_may_be_chosen() -> None:
    async with RawPeer(answers(READY)) as admin:
        await finished("health", f"http://127.0.0.1:{admin.port}/livez")
    assert admin.heads[0].startswith(b"GET /livez HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["127.0.0.1:{}", "0.0.0.0:{}"])
async def test_the_variable_of_serve_is_heeded(value: str) -> None:
    async with RawPeer(answers(READY)) as admin:
        code, _, _ = await finished("health", env={"CORSPROXY_ADMIN": value.format(admin.port)})
    assert code == 0


async def test_an_admin_listener_that_is_off_is_not_well() -> None:
    code, _, err = await finished("health", env={"CORSPROXY_ADMIN": "off"})
    assert code == 1
    assert "no admin listener" in err


async def test_nobody_there_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code, _, err = await finished("health", f"http://127.0.0.1:{port}")
    assert code == 1
    assert err.startswith(f"corsproxy: nobody answers at http://127.0.0.1:{port}: ")


async def test_what_is_no_http_is_not_well() -> None:
    async def garbage(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"\x00\x01\x02\r\n\r\n")

    async with RawPeer(garbage) as admin:
        code, _, err = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert code == 1
    assert "Traceback" not in err


async def test_it_does_not_wait_for_ever() -> None:
    async def silence(peer: PeerConnection) -> None:
        await asyncio.Event().wait()

    async with RawPeer(silence) as admin:
        code, _, err = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert code == 1
    assert "timed out" in err


@pytest.mark.parametrize(
    "url", ["https://localhost:8011", "http://", "http://localhost:x", "http://[::1"]
)
async def test_a_url_that_cannot_be_asked_is_a_usage_error(url: str) -> None:
    code, _, err = await finished("health", url)
    assert code == 2
    assert "Traceback" not in err
