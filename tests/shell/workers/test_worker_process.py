"""A process is started like this one, asked, and reliably ended."""

import os
import signal
import socket
import sys
from collections.abc import Callable

import pytest

from corsproxy.errors import StartError
from corsproxy.shell.feed.sink import Sink
from corsproxy.shell.workers.channel import Order
from corsproxy.shell.workers.worker_process import WorkerProcess
from tests.peers import until

# A worker answers each question with what it knows of itself.
ANSWERING = """
import json, os, signal, socket, sys
end = socket.socket(fileno=int(os.environ["CORSPROXY_WORKER_CHANNEL"]))
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
print("a line")
print("half of", end="", flush=True)
for question in end.makefile("rb"):
    order, facts = json.loads(question)
    if order == "drain":
        sys.exit(facts["code"])
    facts = {
        "order": order,
        "blocked": sorted(map(int, blocked)),
        "notify": os.environ.get("NOTIFY_SOCKET"),
        "inherited": [os.path.exists(f"/proc/self/fd/{fd}") for fd in sys.argv[1:]],
    }
    end.sendall(json.dumps(facts).encode() + b"\\n")
"""
SILENT = "import os, time; os.close(int(os.environ['CORSPROXY_WORKER_CHANNEL'])); time.sleep(60)"

Prepare = Callable[[str], None]


@pytest.fixture
def command_is(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Make it as if this process had been started with a program."""

    def prepare(program: str) -> None:
        monkeypatch.setattr(sys, "orig_argv", ["anything", "-c", program])

    return prepare


async def test_it_runs_the_same_command_and_answers(
    command_is: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_is(ANSWERING)
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    process = await WorkerProcess.start([], Sink(None))
    answer = await process.questions.ask(Order.COUNT)
    assert answer["order"] == "count"
    assert answer["notify"] is None
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= set(answer["blocked"])  # type: ignore[call-overload] # a list of numbers
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    process.kill()
    assert await process.ended() == "signal SIGKILL"


async def test_it_inherits_the_sockets_and_nothing_else(command_is: Prepare) -> None:
    command_is(ANSWERING)
    with socket.create_server(("127.0.0.1", 0)) as given, socket.socket() as kept:
        sys.orig_argv += [str(given.fileno()), str(kept.fileno())]
        process = await WorkerProcess.start([given], Sink(None))
        answer = await process.questions.ask(Order.COUNT)
        assert answer["inherited"] == [True, False]
        process.kill()
        await process.ended()


@pytest.mark.parametrize("code", [0, 3])
async def test_it_reports_how_it_ended(command_is: Prepare, code: int) -> None:
    command_is(ANSWERING)
    process = await WorkerProcess.start([], Sink(None))
    with pytest.raises(ConnectionError):
        await process.questions.ask(Order.DRAIN, {"code": code})
    assert await process.ended() == f"exit code {code}"
    # Whoever has its number now is not killed in its place.
    process.kill()


async def test_its_lines_have_been_passed_on_when_it_has_ended(command_is: Prepare) -> None:
    command_is(ANSWERING)
    reader, writer = os.pipe()
    process = await WorkerProcess.start([], Sink(writer))
    with pytest.raises(ConnectionError):
        await process.questions.ask(Order.DRAIN, {"code": 0})
    await process.ended()
    os.close(writer)
    assert os.read(reader, 100) == b"a line\n"
    os.close(reader)


async def test_a_process_that_closes_its_channel_but_does_not_end_is_killed(
    command_is: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corsproxy.shell.workers.worker_process._LAST_SECONDS", 0.1)
    command_is(SILENT)
    process = await WorkerProcess.start([], Sink(None))
    assert await process.ended() == "signal SIGKILL"


async def test_a_program_that_cannot_be_run_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StartError, match="cannot start a worker: No such file"):
        await WorkerProcess.start([], Sink(None))
    await until(lambda: len(os.listdir("/proc/self/fd")) == before)
