"""Several worker processes behind one address, through the real command."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import Client, CutShortError, get
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer, answers, until
from tests.policies import PAGE
from tests.process import FREE_PORTS, finished, started
from tests.running import OK, Running, ask, file_for, port_of, running, workers_of

OTHER = "https://app.example.com"
WORKERS = ("--workers", "2")
# As many connections as make it all but certain that each worker gets some.
MANY = 24


class Held:
    """An upstream that answers when the test says so, and counts what it has been asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def script(self, peer: PeerConnection) -> None:
        while True:
            await peer.head()
            self.asked += 1
            await self.may_answer.wait()
            await peer.send(OK)


@asynccontextmanager
async def in_flight(directory: Path) -> AsyncIterator[tuple[Running, Held, list[Client]]]:
    """Two workers that are busy with MANY requests."""
    held = Held()
    async with (
        RawPeer(held.script) as upstream,
        running(upstream, directory, "", *WORKERS) as proxy,
    ):
        clients = [await proxy.connect() for _ in range(MANY)]
        for client in clients:
            await client.send(get())
        await until(lambda: held.asked == MANY)
        yield proxy, held, clients


def runs(pid: int) -> bool:
    try:
        # A process that nobody has asked about since it ended still has a directory.
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def outcome(client: Client) -> int:
    """The status of the reply; 0 where it was cut short."""
    try:
        return (await client.reply()).status
    except CutShortError:
        return 0


# Starting


async def test_it_is_ready_when_every_worker_listens(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        listen = ("-l", "localhost:0", "-l", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        async with started(*listen, *WORKERS, cwd=tmp_path) as command:
            ready = await command.event("ready")
            assert len(ready["listen"]) == 2
            admin = port_of(ready["admin"])
            assert (await ask(admin, get("/readyz", origin=None))).status == 200
            for endpoint in ready["endpoints"] * 8:
                host, _, port = endpoint.rpartition(":")
                assert (await ask(int(port), get(), host.strip("[]"))).status == 200


async def test_the_service_manager_is_told_once(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE_SECONDS)
        arguments = ("http://127.0.0.1:9", *FREE_PORTS, *WORKERS)
        async with started(*arguments, env={"NOTIFY_SOCKET": path}) as command:
            await command.event("ready")
            command.signal(signal.SIGTERM)
            assert await command.exit_code() == 0
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


async def test_the_number_of_workers_comes_from_the_environment_too() -> None:
    arguments = ("http://127.0.0.1:9", *FREE_PORTS)
    async with started(*arguments, env={"CORSPROXY_WORKERS": "3"}) as command:
        proxy = Running(command, await command.event("ready"))
        assert len(workers_of(proxy)) == 3


async def test_a_refused_file_starts_no_worker(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("upstream: [\n")
    code, out, err = await finished(*FREE_PORTS, *WORKERS, cwd=tmp_path)
    assert (code, out) == (78, "")
    assert err.count("--> corsproxy.yaml") == 1


async def test_a_taken_port_is_refused_and_a_shared_one_is_taken() -> None:
    first = ("http://127.0.0.1:9", "-l", "localhost:0", "--admin", "off", *WORKERS)
    async with started(*first) as command:
        port = (await command.event("ready"))["listen"][0].rpartition(":")[2]
        second = ("http://127.0.0.1:9", "-l", f"localhost:{port}", "--admin", "off", *WORKERS)
        code, _, err = await finished(*second)
        assert code == 3
        assert f"port {port} is in use" in err


async def test_a_worker_that_cannot_start_ends_the_run() -> None:
    variables = {"HTTP_PROXY": "socks5h://127.0.0.1:9"}
    code, _, err = await finished("http://api.test", *FREE_PORTS, *WORKERS, env=variables)
    assert code == 3
    assert "HTTP_PROXY" in err
    assert "did not start: exit code 3" in err
    assert "Traceback" not in err


async def test_only_a_supervisor_makes_workers() -> None:
    variables = {"CORSPROXY_WORKER_CHANNEL": "12345"}
    code, _, err = await finished("http://127.0.0.1:9", *FREE_PORTS, env=variables)
    assert code == 2
    assert "CORSPROXY_WORKER_CHANNEL" in err
    assert "Traceback" not in err


# Working


async def test_connections_are_shared_and_figures_are_summed(tmp_path: Path) -> None:
    async with in_flight(tmp_path) as (proxy, held, clients):
        metrics = await proxy.metrics()
        shares = [metrics[f'corsproxy_worker_in_flight{{worker="{n}"}}'] for n in (0, 1)]
        assert all(shares)
        assert sum(shares) == metrics["corsproxy_in_flight"] == MANY
        held.may_answer.set()
        assert [await outcome(client) for client in clients] == [200] * MANY
        metrics = await proxy.metrics()
        requests = [value for name, value in metrics.items() if "requests_total{" in name]
        assert sum(requests) == MANY
        seconds = 'corsproxy_upstream_duration_seconds_count{route="/"}'
        assert metrics[seconds] == MANY
        connects = [value for name, value in metrics.items() if "upstream_connects_total" in name]
        assert sum(connects) == MANY
        for _ in range(MANY):
            await proxy.command.event("request")


async def test_all_workers_are_one_proxy_in_via(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS) as proxy,
    ):
        for _ in range(MANY):
            assert (await proxy.ask(get())).status == 200
        heads = [head.lower().split(b"\r\n") for head in upstream.heads]
        via = {line for head in heads for line in head if line.startswith(b"via:")}
        assert len(via) == 1


async def test_a_reload_reaches_every_worker(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS) as proxy,
    ):
        kept = [await proxy.connect() for _ in range(MANY)]
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, PAGE, OTHER))
        proxy.command.signal(signal.SIGHUP)
        told = await proxy.command.event("reloaded")
        assert told["changes"] == [f"+ origin {OTHER} on route /"]
        for client in kept:
            await client.send(get(origin=OTHER))
            assert (await client.reply()).grant == OTHER
        (tmp_path / "corsproxy.yaml").write_text("upstream: [\n")
        proxy.command.signal(signal.SIGHUP)
        await proxy.command.event("reload-refused")
        for client in kept:
            await client.send(get(origin=OTHER))
            assert (await client.reply()).grant == OTHER


# Failing


async def test_a_killed_worker_loses_only_its_current_requests(tmp_path: Path) -> None:
    async with in_flight(tmp_path) as (proxy, held, clients):
        before = await proxy.metrics()
        os.kill(workers_of(proxy)[0], signal.SIGKILL)
        # The connections of its share are accepted by the other one meanwhile.
        late = [await proxy.connect() for _ in range(MANY)]
        for client in late:
            await client.send(get())
        await until(lambda: held.asked == 2 * MANY)
        held.may_answer.set()
        ended = await proxy.command.event("worker-ended")
        number = ended["worker"]
        lost = before[f'corsproxy_worker_in_flight{{worker="{number}"}}']
        outcomes = [await outcome(client) for client in clients]
        assert outcomes.count(0) == lost
        assert outcomes.count(200) == MANY - lost
        assert [await outcome(client) for client in late] == [200] * MANY
        assert (ended["how"], ended["restart_in_s"]) == ("signal SIGKILL", 0.5)
        again = await proxy.command.event("worker-started")
        assert again["worker"] == number
        assert again["pid"] != ended["pid"]
        for _ in range(MANY):
            assert (await proxy.ask(get())).status == 200
        metrics = await proxy.metrics()
        assert metrics[f'corsproxy_worker_restarts_total{{worker="{number}"}}'] == 1
        assert metrics[f'corsproxy_worker_up{{worker="{number}"}}'] == 1


async def counted(proxy: Running, name: str, value: float) -> None:
    """Wait until a scrape says so: a worker that is busy is not waited for."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await proxy.metrics()).get(name) != value:
            pass


async def test_figures_outlive_their_worker(tmp_path: Path) -> None:
    labels = 'decision="allowed",method="GET",outcome="readable",route="/",status_class="2xx"'
    name = f"corsproxy_requests_total{{{labels}}}"
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS) as proxy,
    ):
        for _ in range(MANY):
            await proxy.ask(get())
        await counted(proxy, name, MANY)
        for pid in workers_of(proxy):
            os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            await proxy.command.event("worker-started")
        await proxy.ask(get())
        await counted(proxy, name, MANY + 1)


async def test_it_is_not_ready_while_no_worker_is_there(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS) as proxy,
    ):
        for pid in workers_of(proxy):
            os.kill(pid, signal.SIGKILL)
        waiting = await proxy.connect()
        await waiting.send(get())
        for _ in range(2):
            await proxy.command.event("worker-ended")
        assert (await proxy.admin("/readyz")).status == 503
        assert (await proxy.admin("/livez")).status == 200
        # The kernel has kept the connection for the next worker.
        assert await outcome(waiting) == 200
        assert (await proxy.admin("/readyz")).status == 200


async def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    impatient = (
        "from corsproxy.cli.main import main; from corsproxy.shell.workers import slot, supervisor;"
        "slot.HANGING_S = 6; slot._ANSWER_S = supervisor._LOOK_S = 0.2; main()"
    )
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS, program=("-c", impatient)) as proxy,
    ):
        os.kill(workers_of(proxy)[1], signal.SIGSTOP)
        assert (await proxy.command.event("worker-hangs"))["worker"] == 1
        await proxy.command.event("worker-started")
        for _ in range(MANY):
            assert (await proxy.ask(get())).status == 200


# Stopping


async def test_every_request_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    async with in_flight(tmp_path) as (proxy, held, clients):
        proxy.command.signal(signal.SIGTERM)
        assert (await proxy.command.event("draining"))["in_flight"] == MANY
        await proxy.listener_closed()
        readiness = await proxy.admin("/readyz")
        assert (readiness.status, readiness.content) == (503, b"draining\n")
        assert await proxy.metric("corsproxy_in_flight") == MANY
        held.may_answer.set()
        for client in clients:
            reply = await client.reply()
            assert (reply.status, reply.value("Connection")) == (200, "close")
        await proxy.command.event("stopped")
        assert await proxy.command.exit_code() == 0
        assert await proxy.command.complaints() == ""


async def test_signals_to_the_process_group_act_only_on_the_supervisor(
    tmp_path: Path,
) -> None:
    async with in_flight(tmp_path) as (proxy, held, clients):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            for pid in workers_of(proxy):
                os.kill(pid, number)
        proxy.command.signal(signal.SIGINT)
        await proxy.command.event("draining")
        held.may_answer.set()
        assert [await outcome(client) for client in clients] == [200] * MANY
        assert await proxy.command.exit_code() == 0


async def test_a_second_signal_ends_every_process_at_once(tmp_path: Path) -> None:
    async with in_flight(tmp_path) as (proxy, _, clients):
        workers = workers_of(proxy)
        proxy.command.signal(signal.SIGTERM)
        await proxy.command.event("draining")
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 128 + signal.SIGTERM
        await until(lambda: not any(map(runs, workers)))
        assert [await outcome(client) for client in clients] == [0] * MANY


async def test_requests_beyond_the_grace_period_get_503(tmp_path: Path) -> None:
    held = Held()
    arguments = (*WORKERS, "--shutdown-grace", "200ms")
    async with (
        RawPeer(held.script) as upstream,
        running(upstream, tmp_path, "", *arguments) as proxy,
    ):
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: held.asked == 1)
        proxy.command.signal(signal.SIGTERM)
        assert await proxy.command.exit_code() == 0
        assert await outcome(client) == 503


async def test_workers_end_with_their_supervisor_but_finish_what_they_do(tmp_path: Path) -> None:
    async with in_flight(tmp_path) as (proxy, held, clients):
        workers = workers_of(proxy)
        proxy.command.signal(signal.SIGKILL)
        await proxy.listener_closed()
        held.may_answer.set()
        assert [await outcome(client) for client in clients] == [200] * MANY
        await until(lambda: not any(map(runs, workers)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_was_to_be_replaced_does_not_hold_up_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", *WORKERS) as proxy,
    ):
        os.kill(workers_of(proxy)[0], signal.SIGKILL)
        await proxy.command.event("worker-ended")
        proxy.command.signal(number)
        assert await proxy.command.exit_code() == 0
