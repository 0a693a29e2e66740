"""A run from start to stop, through the real command: signals, reloads, reports."""

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes import get
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer, answers, until
from tests.policies import PAGE
from tests.process import FREE_PORTS, environment, started
from tests.running import OK, Slow, ask, file_for, port_of, running
from tests.terminal import at_terminal

OTHER = "https://app.example.com"


# Starting


async def test_the_first_answer_comes_within_a_second(tmp_path: Path) -> None:
    """Of the processor's time, and the best of three: neighbours on a busy machine slow down
    the processor itself."""
    spent: list[float] = []
    while len(spent) < 3 and min(spent, default=1.0) >= 1.0:
        async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
            assert (await proxy.ask(get())).status == 200
            spent.append(processor_time(proxy.command.process.pid))
    assert min(spent) < 1.0


def processor_time(pid: int) -> float:
    """The seconds that a process has been running on a processor (proc(5), stat 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_ready_names_the_real_addresses(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        arguments = ("-l", "localhost:0", "--admin", "localhost:0")
        async with started(*arguments, cwd=tmp_path) as command:
            ready = await command.event("ready")
            port = port_of(ready["listen"][0])
            assert ready["listen"] == [f"http://localhost:{port}"]
            assert f"127.0.0.1:{port}" in ready["endpoints"]
            for endpoint in ready["endpoints"]:
                host = endpoint.rpartition(":")[0].strip("[]")
                assert (await ask(port, get(), host)).status == 200
            admin = await ask(port_of(ready["admin"]), get("/readyz", origin=None))
            assert (admin.status, admin.content) == (200, b"ready\n")


async def test_unused_modules_are_not_loaded() -> None:
    """A client that is never asked, a framework, and what only a name, a terminal or a
    scrape needs."""
    arguments = ("http://127.0.0.1:9", "-l", "127.0.0.1:0", "--admin", "off")
    async with started(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"}) as command:
        await command.event("ready")
        command.signal(signal.SIGTERM)
        assert await command.exit_code() == 0
        lines = (await command.complaints()).splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines}
    assert "httptools.parser.parser" in loaded
    assert not loaded & {
        "aiohttp.client",
        "aiohttp.http_websocket",
        "aiohttp.web_protocol",
        "corsproxy.shell.admin.application",
        "corsproxy.config.editing",
        "corsproxy.http2",
        "cryptography",
        "encodings.idna",
        "h2",
        "prometheus_client",
    }


async def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE_SECONDS)
        arguments = ("http://127.0.0.1:9", *FREE_PORTS)
        async with started(*arguments, env={"NOTIFY_SOCKET": path}) as command:
            await command.event("ready")
            assert manager.recv(100) == b"READY=1"
            command.signal(signal.SIGTERM)
            assert await command.exit_code() == 0
            assert manager.recv(100) == b"STOPPING=1"


# The log


async def test_a_trace_is_passed_on_and_logged(tmp_path: Path) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    trace = (
        f"traceparent: 00-{trace_id}-00f067aa0ba902b7-01",
        "tracestate: vendor=opaque,other=1",
        "baggage: user=1",
    )
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        await proxy.ask(get("/", *trace))
        lines = upstream.heads[0].decode().split("\r\n")
        assert [line for line in lines if line in trace] == list(trace)
        assert (await proxy.command.event("request"))["trace_id"] == trace_id


async def test_a_failure_of_the_upstream_is_logged_in_words(tmp_path: Path) -> None:
    nonsense = answers(b"nonsense\r\n\r\n")
    async with RawPeer(nonsense) as upstream, running(upstream, tmp_path) as proxy:
        assert (await proxy.ask(get())).status == 502
        request = await proxy.command.event("request")
    assert request["code"] == "upstream-malformed"
    assert request["detail"]


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_proxy_stops_at_once(number: signal.Signals) -> None:
    async with started("http://127.0.0.1:9", *FREE_PORTS) as command:
        await command.event("ready")
        command.signal(number)
        await command.event("stopped")
        assert await command.exit_code() == 0
        assert await command.complaints() == ""


async def test_a_request_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    slow = Slow()
    async with RawPeer(slow.script) as upstream, running(upstream, tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await slow.wait_asked()
        proxy.command.signal(signal.SIGTERM)
        assert (await proxy.command.event("draining"))["in_flight"] == 1
        await proxy.listener_closed()
        readiness = await proxy.admin("/readyz")
        assert (readiness.status, readiness.content) == (503, b"draining\n")
        assert (await proxy.admin("/livez")).status == 200
        slow.may_answer.set()
        reply = await client.reply()
        assert (reply.status, reply.content) == (200, b"ok")
        assert reply.value("Connection") == "close"
        assert await client.rest() == b""
        assert await proxy.command.exit_code() == 0


async def test_requests_are_taken_during_the_drain_delay(tmp_path: Path) -> None:
    delay = "drain_delay: 1\n"
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path, delay) as proxy:
        kept = await proxy.connect()
        await kept.send(get())
        assert (await kept.reply()).value("Connection") is None
        proxy.command.signal(signal.SIGTERM)
        await proxy.command.event("draining")
        assert (await proxy.admin("/readyz")).status == 503
        for client in (kept, await proxy.connect()):
            await client.send(get())
            reply = await client.reply()
            assert (reply.status, reply.value("Connection")) == (200, "close")
            assert await client.rest() == b""
        assert await proxy.command.exit_code() == 0


async def test_requests_beyond_the_grace_period_get_503(tmp_path: Path) -> None:
    slow = Slow()
    flag = ("--shutdown-grace", "200ms")
    async with RawPeer(slow.script) as upstream, running(upstream, tmp_path, "", *flag) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await slow.wait_asked()
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 0
        assert (await client.reply()).status == 503


async def test_an_event_stream_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def stream(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        )
        await peer.closed()

    async with RawPeer(stream) as upstream, running(upstream, tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get("/events"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 0
        assert time.monotonic() - begun < 5


async def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    slow = Slow()
    async with RawPeer(slow.script) as upstream, running(upstream, tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await slow.wait_asked()
        proxy.command.signal(signal.SIGTERM)
        await proxy.command.event("draining")
        begun = time.monotonic()
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 128 + signal.SIGTERM
        assert time.monotonic() - begun < 2
        assert await proxy.command.complaints() == ""


async def test_a_thread_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """As one does that reads from a network drive, or resolves a name."""
    hanging = (
        "import threading; from corsproxy.cli.main import main;"
        "from corsproxy.shell.run import reload;"
        "reload.look = lambda *arguments: threading.Event().wait(); main()"
    )
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        async with started(*FREE_PORTS, cwd=tmp_path, program=("-c", hanging)) as command:
            await command.event("ready")
            command.signal(signal.SIGTERM)
            assert await command.exit_code() == 0


# Reloading


async def test_sighup_reloads(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        assert (await proxy.ask(get(origin=OTHER))).status == 403
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, PAGE, OTHER))
        proxy.command.signal(signal.SIGHUP)
        told = await proxy.command.event("reloaded")
        assert told["changes"] == [f"+ origin {OTHER} on route /"]
        assert (await proxy.ask(get(origin=OTHER))).grant == OTHER


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_sighup_is_never_more_than_a_reload(tmp_path: Path, workers: str) -> None:
    """Not even one that comes the moment that a connection is accepted."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        arguments = ("-l", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0", "--workers", workers)
        async with started(*arguments, cwd=tmp_path) as command:
            await until(lambda: accepts(port))
            for _ in range(3):
                command.signal(signal.SIGHUP)
            await command.event("ready")
            assert (await ask(port, get())).status == 200
            command.signal(signal.SIGTERM)
            assert await command.exit_code() == 0


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


async def test_a_saved_edit_is_adopted_without_a_signal(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, OTHER))
        await proxy.command.event("reloaded")
        assert (await proxy.ask(get(origin=OTHER))).grant == OTHER
        assert (await proxy.ask(get())).status == 403


async def test_a_broken_edit_changes_nothing_and_is_reported_once(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        successful = "corsproxy_config_last_reload_successful"
        assert await proxy.metric(successful) == 1
        (tmp_path / "corsproxy.yaml").write_text("upstream: [\n")
        refused = await proxy.command.event("reload-refused")
        assert refused["problems"][0]["line"] > 0
        assert await proxy.metric(successful) == 0
        assert (await proxy.admin("/readyz")).status == 200
        assert (await proxy.ask(get())).grant == PAGE
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, OTHER))
        await proxy.command.event("reloaded")
        assert await proxy.metric(successful) == 1
        events = [event["event"] for event in proxy.command.events]
        assert events.count("reload-refused") == 1


async def test_an_edit_that_names_a_missing_tls_file_changes_nothing(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        route = "routes: [{path: /s, upstream: 'https://a.test', tls: {ca_file: no.pem}}]\n"
        (tmp_path / "corsproxy.yaml").write_text(route + file_for(upstream, OTHER))
        refused = await proxy.command.event("reload-refused")
        assert [problem["code"] for problem in refused["problems"]] == ["tls-file"]
        assert (await proxy.ask(get())).grant == PAGE


async def test_no_request_is_lost_to_reloads(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream, running(upstream, tmp_path) as proxy:
        file = tmp_path / "corsproxy.yaml"
        client = await proxy.connect()
        for number in range(5):
            file.write_text(file_for(upstream, PAGE, f"https://app{number}.example.com"))
            proxy.command.signal(signal.SIGHUP)
            for _ in range(20):
                await client.send(get())
                assert (await client.reply()).grant == PAGE
            await proxy.command.event("reloaded")


# Talking to people


async def test_an_unread_log_does_not_end_the_run(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        reader, writer = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "corsproxy", *FREE_PORTS),
            cwd=tmp_path,
            env=environment(),
            stdout=writer,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as log:
            line = await asyncio.to_thread(log.readline)
        port = port_of(line.decode().partition('"listen": ["')[2].partition('"')[0])
        for _ in range(3):
            assert (await ask(port, get())).status == 200
        process.terminate()
        _, complaints = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        assert (process.returncode, complaints) == (0, b"")


async def test_a_person_at_a_terminal_has_lines_colours_and_keys(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        async with at_terminal(tmp_path, *FREE_PORTS) as terminal:
            line = await terminal.shows("Proxy:")
            port = port_of(line.partition("Proxy:")[2].split()[0])
            await terminal.shows("press h + enter")
            assert "\x1b[1;32mCORSPROXY" in terminal.raw
            await ask(port, get("/v1/users?token=hunter2", origin=OTHER))
            await terminal.shows("BLOCKED origin-not-allowed")
            await terminal.shows(f'"{OTHER}" to allow_origins')
            for number, key in enumerate("h?", start=1):
                terminal.press(key)
                await terminal.shows("reload the file", times=number)
            terminal.press("r")
            await terminal.shows("nothing changed")
            terminal.press("q")
            await terminal.shows("stopped")
            assert await terminal.exit_code() == 0
            assert "hunter2" not in terminal.seen


async def test_a_closed_terminal_ends_the_run(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        async with at_terminal(tmp_path, *FREE_PORTS) as terminal:
            await terminal.shows("press h + enter")
            terminal.hang_up()
            assert await terminal.exit_code() == 0
