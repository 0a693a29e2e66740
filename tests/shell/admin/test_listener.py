"""Connections to the admin listener: separated, limited, closed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from corsproxy.shell.admin.figures import Figures, Snapshot
from tests.shell.admin.running import Admin, serving


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    async with serving() as running:
        yield running


async def test_malformed_bytes_log_nothing(
    admin: Admin, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = await admin.connect()
    await client.send(b"GET /livez HTTP/1.1\r\nAuthorization Bearer hunter2\r\n\r\n")
    answer = await client.rest()
    await client.close()
    assert b" 400 " in answer
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


async def test_a_connection_carries_one_request_after_another(admin: Admin) -> None:
    client = await admin.connect()
    await client.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
    replies = [await client.reply(), await client.reply()]
    await client.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    replies.append(await client.reply())
    assert [reply.content for reply in replies] == [b"ok\n", b"ok\n", b"ready\n"]
    assert await client.rest() == b""
    await client.close()


async def test_unread_content_does_not_destroy_the_response(admin: Admin) -> None:
    client = await admin.connect()
    await client.send(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
    assert (await client.reply()).status == 405
    await client.send(b"GET /live", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await client.reply()).content == b"ok\n"
    await client.close()


async def test_a_head_without_end_is_refused(admin: Admin) -> None:
    client = await admin.connect()
    await client.send(b"GET /livez HTTP/1.1\r\nx: " + b"y" * 100_000)
    assert b" 400 " in await client.rest()
    await client.close()


async def test_closing_does_not_wait_for_idle_connections(admin: Admin) -> None:
    client = await admin.connect()
    await client.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await client.reply()).status == 200
    await admin.listener.close()
    assert await client.rest() == b""
    await client.close()


async def test_closing_finishes_a_response(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow() -> Snapshot:
        asked.set()
        await may_answer.wait()
        return Snapshot(Figures(), True, 0.0)

    monkeypatch.setattr(admin, "snapshot", slow)
    scrape = asyncio.create_task(admin.ask("/metrics"))
    await asked.wait()
    closing = asyncio.create_task(admin.listener.close())
    may_answer.set()
    assert (await scrape).status == 200
    await closing


async def test_a_client_with_all_connections_cannot_block_probes(admin: Admin) -> None:
    held = [await admin.connect() for _ in range(100)]
    assert (await admin.ask("/livez")).status == 200
    assert await held[0].rest() == b""
    for client in held:
        await client.close()
