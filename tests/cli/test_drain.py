"""Telling a running proxy that it will be stopped soon."""

import asyncio
import signal
import socket
import time
from pathlib import Path

import pytest

from corsproxy.http2.frames import ErrorCode
from tests.fakes import get
from tests.peers import PeerConnection, RawPeer, answers
from tests.process import finished
from tests.running import OK, Running, http2_of, running, running_https

# A signal that waited for it would end no test.
LONG = "drain_delay: 300\n"


async def drained(proxy: Running) -> None:
    """Call `corsproxy drain`, and return when every worker knows."""
    result = await finished("drain", f"http://127.0.0.1:{proxy.admin_port}")
    assert result == (0, "draining\n", "")


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
async def test_a_lame_duck_answers_until_it_is_stopped(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, LONG, *workers) as proxy,
    ):
        kept = await proxy.connect()
        await kept.send(get())
        assert (await kept.reply()).value("Connection") is None
        await drained(proxy)
        await proxy.command.event("lame-duck")
        readiness = await proxy.admin("/readyz")
        assert (readiness.status, readiness.content) == (503, b"draining\n")
        assert (await proxy.admin("/livez")).status == 200
        await drained(proxy)
        for client in (kept, *[await proxy.connect() for _ in range(8)]):
            await client.send(get())
            reply = await client.reply()
            assert (reply.status, reply.value("Connection")) == (200, "close")
            assert await client.rest() == b""
        began = time.monotonic()
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
async def test_a_lame_duck_sends_clients_of_http2_away(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    """Nothing is lost: neither what is in flight, nor what has not heard of it yet."""
    released = asyncio.Event()

    async def slowly(peer: PeerConnection) -> None:
        while True:
            if b"/slow" in await peer.head():
                await released.wait()
            await peer.send(OK)

    async with (
        RawPeer(slowly) as upstream,
        running_https(upstream, tmp_path, LONG, *workers) as proxy,
    ):
        async with http2_of(proxy) as busy, http2_of(proxy) as idle:
            assert (await idle.get()).status == 200
            slow = await busy.ask("/slow")
            assert (await busy.get()).status == 200
            await drained(proxy)
            await idle.until_gone()
            assert (idle.goaway, idle.last_stream) == (ErrorCode.NO_ERROR, 1)
            while busy.last_stream != slow + 2:
                await busy.receive()
            released.set()
            assert (await busy.reply(slow)).status == 200
            await busy.until_gone()
        async with http2_of(proxy) as late:
            for _ in range(3):
                assert (await late.get()).status == 200
            await late.until_gone()
            assert (late.goaway, late.last_stream) == (ErrorCode.NO_ERROR, 5)
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 0


async def test_another_server_does_not_drain(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        code, out, err = await finished("drain", f"127.0.0.1:{proxy.port}")
    assert (code, out) == (1, "")
    assert "is not corsproxy's admin listener" in err


async def test_no_server_does_not_drain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code, _, err = await finished("drain", str(port))
    assert code == 1
    assert err.startswith(f"corsproxy: nothing answers at localhost:{port}: ")


@pytest.mark.parametrize("url", ["localhost:8011/readyz", "https://localhost:8011", "foo"])
async def test_a_url_that_cannot_be_asked_is_a_usage_error(url: str) -> None:
    code, _, err = await finished("drain", url)
    assert code == 2
    assert "Traceback" not in err
