"""The admin listener: what it answers, and to whom."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.figures import Figures, Snapshot
from corsproxy.shell.admin.listener import AdminListener, Phase
from tests.fakes import Client, Reply
from tests.policies import policy


class Admin:
    """A listener whose phase and policy the test sets."""

    def __init__(self) -> None:
        self.phase = Phase.READY
        self.policy: Policy = policy()
        self.listener = AdminListener(
            phase=lambda: self.phase, policy=lambda: self.policy, snapshot=self.snapshot
        )
        self.socket = socket.create_server(("127.0.0.1", 0))

    async def snapshot(self) -> Snapshot:
        return Snapshot(Figures(), True, 0.0)

    async def ask(
        self, path: str, method: str = "GET", *lines: str, host: str = "localhost"
    ) -> Reply:
        client = Client(*await asyncio.open_connection(*self.socket.getsockname()))
        head = (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", "")
        await client.send("\r\n".join(head).encode("latin-1"))
        reply = await client.reply(method)
        await client.close()
        names = [name.lower() for name, _ in reply.fields]
        assert not [name for name in names if name.startswith(b"access-control-")]
        return reply


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    admin = Admin()
    await admin.listener.start([admin.socket])
    yield admin
    await admin.listener.close()


async def test_liveness_asks_for_nothing_else(admin: Admin) -> None:
    admin.phase = Phase.DRAINING
    assert (await admin.ask("/livez")).status == 200


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/readyz?verbose"])
@pytest.mark.parametrize(
    ("phase", "status"), [(Phase.STARTING, 503), (Phase.READY, 200), (Phase.DRAINING, 503)]
)
async def test_readiness_follows_the_run(
    admin: Admin, path: str, phase: Phase, status: int
) -> None:
    admin.phase = phase
    reply = await admin.ask(path)
    assert (reply.status, reply.content.decode()) == (status, f"{phase}\n")


async def test_head_has_no_content(admin: Admin) -> None:
    reply = await admin.ask("/readyz", "HEAD")
    assert (reply.status, reply.value("Content-Length")) == (200, "6")


async def test_metrics_are_the_prometheus_text(admin: Admin) -> None:
    reply = await admin.ask("/metrics")
    assert reply.status == 200
    assert str(reply.value("Content-Type")).startswith("text/plain")
    assert b"corsproxy_build_info" in reply.content


async def test_metrics_without_the_package_say_what_to_install(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "corsproxy.shell.admin.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    reply = await admin.ask("/metrics")
    assert reply.status == 501
    assert b"pip install prometheus_client" in reply.content


@pytest.mark.parametrize(
    "host", ["localhost", "app.localhost:8011", "127.0.0.1", "[::1]:8011", "10.1.2.3:8011"]
)
async def test_names_that_cannot_be_rebound_are_answered(admin: Admin, host: str) -> None:
    assert (await admin.ask("/livez", host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "0.0.0.0:8011", "[::]", "localhost.evil.example"])
async def test_other_names_are_refused(admin: Admin, host: str) -> None:
    reply = await admin.ask("/metrics", host=host)
    assert reply.status == 421
    assert b"allowed_hosts" in reply.content


async def test_an_allowed_host_is_answered(admin: Admin) -> None:
    admin.policy = policy(allowed_hosts=frozenset({"proxy.svc"}))
    assert (await admin.ask("/livez", host="proxy.svc:8011")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_only_reading_is_possible(admin: Admin, method: str) -> None:
    reply = await admin.ask("/livez", method, "Origin: http://localhost:5173")
    assert (reply.status, reply.value("Allow")) == (405, "GET, HEAD")


async def test_a_preflight_gets_nothing(admin: Admin) -> None:
    asked = ("Origin: http://localhost:5173", "Access-Control-Request-Method: GET")
    assert (await admin.ask("/metrics", "OPTIONS", *asked)).status == 405


async def test_an_unknown_path_names_the_known_ones(admin: Admin) -> None:
    reply = await admin.ask("/")
    assert reply.status == 404
    assert b"/metrics" in reply.content


async def test_it_does_not_say_what_it_is_made_of(admin: Admin) -> None:
    reply = await admin.ask("/livez")
    assert reply.value("Server") == "corsproxy"
    assert reply.value("Cache-Control") == "no-store"


async def test_malformed_bytes_log_nothing(
    admin: Admin, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(*await asyncio.open_connection(*admin.socket.getsockname()))
    await client.send(b"GET /livez HTTP/1.1\r\nAuthorization Bearer hunter2\r\n\r\n")
    answer = await client.rest()
    await client.close()
    assert b" 400 " in answer
    assert b"Server: corsproxy\r\n" in answer
    assert b"hunter2" not in answer
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


async def test_a_connection_carries_one_request_after_another(admin: Admin) -> None:
    client = Client(*await asyncio.open_connection(*admin.socket.getsockname()))
    await client.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
    replies = [await client.reply(), await client.reply()]
    await client.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    replies.append(await client.reply())
    assert [reply.content for reply in replies] == [b"ok\n", b"ok\n", b"ready\n"]
    assert await client.rest() == b""
    await client.close()


async def test_content_that_is_still_to_come_does_not_destroy_the_answer(admin: Admin) -> None:
    client = Client(*await asyncio.open_connection(*admin.socket.getsockname()))
    await client.send(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
    assert (await client.reply()).status == 405
    await client.send(b"GET /live")
    assert await client.rest() == b""
    await client.close()


async def test_a_head_without_end_is_refused(admin: Admin) -> None:
    client = Client(*await asyncio.open_connection(*admin.socket.getsockname()))
    await client.send(b"GET /livez HTTP/1.1\r\nx: " + b"y" * 20_000)
    assert b" 431 " in await client.rest()
    await client.close()


async def test_closing_waits_for_nobody_who_waits_for_nothing(admin: Admin) -> None:
    client = Client(*await asyncio.open_connection(*admin.socket.getsockname()))
    await client.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await client.reply()).status == 200
    await admin.listener.close()
    assert await client.rest() == b""
    await client.close()


async def test_closing_lets_an_answer_go_out(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow() -> Snapshot:
        asked.set()
        await may_answer.wait()
        return Snapshot(Figures(), True, 0.0)

    monkeypatch.setattr(admin.listener, "_snapshot", slow)
    scrape = asyncio.create_task(admin.ask("/metrics"))
    await asked.wait()
    closing = asyncio.create_task(admin.listener.close())
    may_answer.set()
    assert (await scrape).status == 200
    await closing


async def test_a_fault_is_seen_and_says_nothing_to_whom_it_meets(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Snapshot:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(admin.listener, "_snapshot", broken)
    reply = await admin.ask("/metrics")
    assert (reply.status, reply.content) == (500, b"This cannot be answered.\n")
    assert "fault in the admin listener" in caplog.text


async def test_whoever_holds_all_connections_keeps_no_probe_away(admin: Admin) -> None:
    held = [Client(*await asyncio.open_connection(*admin.socket.getsockname())) for _ in range(100)]
    assert (await admin.ask("/livez")).status == 200
    assert await held[0].rest() == b""
    for client in held:
        await client.close()
