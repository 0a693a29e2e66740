"""The command at a terminal: what a refusal offers, and what the user types."""

import asyncio
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.fakes import get
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer, answers
from tests.policies import PAGE
from tests.process import FREE_PORTS
from tests.running import OK, ask, file_for
from tests.terminal import COMMAND, Terminal, at_terminal

OTHER = "https://app.example.com"
OFFER = "press a + enter"
QUESTION = "Write this to corsproxy.yaml? [y/N]"
REFUSED = get(origin=OTHER)
ARGUMENTS = ("-l", "127.0.0.1:0", "--admin", "off")
FIELDS = "Host: localhost\r\nOrigin: http://localhost:5173\r\n"
PREFLIGHT = f"OPTIONS / HTTP/1.1\r\n{FIELDS}Access-Control-Request-Method: "


async def port_of(terminal: Terminal) -> int:
    line = await terminal.shows("Proxy:")
    await terminal.shows("press h + enter")
    return int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])


async def offered(terminal: Terminal, port: int) -> None:
    """Refuse a call, and go as far as the question."""
    assert (await ask(port, REFUSED)).status == 403
    await terminal.shows(OFFER)
    terminal.press("a")
    await terminal.shows(QUESTION)


@pytest.mark.parametrize(
    ("call", "added"),
    [
        (REFUSED, OTHER),
        (f"{PREFLIGHT}PURGE\r\n\r\n".encode(), "PURGE]"),
        (
            f"{PREFLIGHT}GET\r\nAccess-Control-Request-Headers: x-a\r\n\r\n".encode(),
            "x-a]",
        ),
        (get(origin=None).replace(b"localhost", b"shop.test"), "allowed_hosts: [shop.test]"),
    ],
    ids=["origin", "method", "header", "host"],
)
async def test_a_refused_call_is_allowed_from_the_keyboard(
    tmp_path: Path, call: bytes, added: str
) -> None:
    file = tmp_path / "corsproxy.yaml"
    async with RawPeer(answers(*[OK] * 9)) as upstream:
        file.write_text(file_for(upstream))
        async with at_terminal(tmp_path, *ARGUMENTS) as terminal:
            port = await port_of(terminal)
            first = await ask(port, call)
            await terminal.shows(OFFER)
            terminal.press("a")
            await terminal.shows(QUESTION)
            shown = terminal.seen.partition("+++ b/corsproxy.yaml")[2]
            assert any(line.startswith("+") and added in line for line in shown.splitlines())
            terminal.press("y")
            await terminal.shows("corsproxy.yaml reloaded")
            again = await ask(port, call)
    assert first.value("Corsproxy-Reason") is not None
    assert again.status in (200, 204)
    assert again.value("Corsproxy-Reason") is None
    assert added.rstrip("]") in file.read_text()


CREDENTIALS = f"GET / HTTP/1.1\r\n{FIELDS}Sec-Fetch-Site: cross-site\r\nCookie: a=1\r\n\r\n"
GRANTED = f"{PREFLIGHT}PUT\r\n\r\n"


@pytest.mark.parametrize("call", [CREDENTIALS, GRANTED], ids=["a cookie", "a preflight alone"])
async def test_credentials_are_allowed_from_the_keyboard(tmp_path: Path, call: str) -> None:
    file = tmp_path / "corsproxy.yaml"
    async with RawPeer(answers(*[OK] * 9)) as upstream:
        file.write_text(file_for(upstream))
        async with at_terminal(tmp_path, *ARGUMENTS) as terminal:
            await ask(await port_of(terminal), call.encode())
            await terminal.shows(OFFER)
            terminal.press("a")
            await terminal.shows(QUESTION)
            terminal.press("y")
            await terminal.shows("corsproxy.yaml reloaded")
    assert "allow_credentials: true" in file.read_text()


async def test_any_answer_but_yes_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "corsproxy.yaml"
    async with RawPeer(answers(*[OK] * 9)) as upstream:
        file.write_text(before := file_for(upstream))
        async with at_terminal(tmp_path, *ARGUMENTS) as terminal:
            port = await port_of(terminal)
            await offered(terminal, port)
            # The question holds nobody up.
            assert (await ask(port, get())).status == 200
            terminal.press("")
            await terminal.shows("Not written.")
            terminal.press("a")
            await terminal.shows(QUESTION, times=2)
            terminal.type("\x04")  # the end of what is typed
            await terminal.shows("Not written.", times=2)
            assert (await ask(port, get())).status == 200
    assert file.read_text() == before


async def test_ctrl_c_under_the_question_ends_the_run_at_once(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(before := file_for(upstream))
        async with at_terminal(tmp_path, *ARGUMENTS) as terminal:
            await offered(terminal, await port_of(terminal))
            terminal.type("\x03")
            await terminal.shows("stopped")
            async with asyncio.timeout(20):
                assert await terminal.exit_code() == 0
    assert (tmp_path / "corsproxy.yaml").read_text() == before


async def test_running_in_the_background_is_harmless(tmp_path: Path) -> None:
    """A shell with job control stops it, lets it run without the terminal, and brings it back."""
    prompt = "said: "
    async with RawPeer(answers(*[OK] * 9)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        shell = ("bash", "--norc", "--noprofile", "-i")
        async with at_terminal(tmp_path, program=shell, PS1=prompt, HISTFILE="") as terminal:
            await terminal.shows(prompt)
            terminal.press(shlex.join((*COMMAND, *ARGUMENTS)))
            port = await port_of(terminal)
            await offered(terminal, port)
            terminal.type("\x1a")
            await terminal.shows("Stopped")
            terminal.press("bg")
            assert (await ask(port, get())).status == 200
            terminal.press("echo $((1 + 1))y; jobs")
            await terminal.shows("2y")
            await terminal.shows("Running")
            assert (await ask(port, get())).status == 200
            terminal.press("fg")
            await terminal.shows(" -m corsproxy", times=3)
            terminal.press("y")
            await terminal.shows("corsproxy.yaml reloaded")
            terminal.press("q")
            await terminal.shows("stopped")
            terminal.press("exit")
            assert await terminal.exit_code() == 0


def ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(re.findall(r"SigIgn:\s*([0-9a-f]+)", status)[0], 16)
    return bool(ignored >> (number - 1) & 1)


async def test_a_read_in_the_background_does_not_stop_the_process(tmp_path: Path) -> None:
    """Between the look and the read the shell may take the terminal away."""
    async with at_terminal(tmp_path, "http://127.0.0.1:9", *ARGUMENTS) as terminal:
        await port_of(terminal)
        assert ignores(terminal.process.pid, signal.SIGTTIN)


async def test_without_a_file_the_flag_is_named(tmp_path: Path) -> None:
    async with at_terminal(tmp_path, "http://127.0.0.1:9", *ARGUMENTS) as terminal:
        port = await port_of(terminal)
        assert (await ask(port, REFUSED)).status == 403
        given = shlex.join(ARGUMENTS)
        await terminal.shows(f"corsproxy http://127.0.0.1:9 {given} --allow-origin {OTHER}\r\n")
        await terminal.shows(OFFER)
        terminal.press("a")
        await terminal.shows("until the proxy stops? [y/N]")


async def test_workers_offer_nothing(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        async with at_terminal(tmp_path, *ARGUMENTS, "--workers", "2") as terminal:
            port = await port_of(terminal)
            assert (await ask(port, REFUSED)).status == 403
            await terminal.shows("to allow_origins")
            terminal.press("a")
            await terminal.shows("a is not a command: press h + enter for help")
            terminal.press("h")
            await terminal.shows("reload the file")
            terminal.press("q")
            await terminal.shows("stopped")
    assert OFFER not in terminal.seen
    assert "allow what was refused" not in terminal.seen
    assert "Nothing to allow" not in terminal.seen


async def test_json_is_for_programs_even_at_a_terminal(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        arguments = (*FREE_PORTS, "--log-format", "json")
        async with at_terminal(tmp_path, *arguments) as terminal:
            line = await terminal.shows('"listen"')
            port = int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])
            assert (await ask(port, REFUSED)).status == 403
            await terminal.shows("origin-not-allowed")
            terminal.press("a")
            terminal.press("y")
            terminal.process.send_signal(signal.SIGTERM)
            await terminal.shows('"stopped"')
    assert OFFER not in terminal.seen
    assert QUESTION not in terminal.seen


async def test_a_policy_that_came_through_a_pipe_cannot_be_edited(tmp_path: Path) -> None:
    text = f"upstream: http://127.0.0.1:9\\ncors: {{allow_origins: [{PAGE}]}}\\n"
    command = shlex.join((*COMMAND, *ARGUMENTS))
    program = ("bash", "-c", f"exec {command} -c <(printf '{text}')")
    async with at_terminal(tmp_path, program=program) as terminal:
        port = await port_of(terminal)
        assert (await ask(port, REFUSED)).status == 403
        await terminal.shows("to allow_origins")
        terminal.press("a")
        terminal.press("q")
        async with asyncio.timeout(DEADLINE_SECONDS):
            await terminal.shows("stopped")
    assert OFFER not in terminal.seen


async def test_a_slow_upstream_is_named_while_waiting(tmp_path: Path) -> None:
    async def silence(peer: PeerConnection) -> None:
        await asyncio.Event().wait()

    async with RawPeer(silence) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        asking = ("explain", "--ask-upstream", "--origin", "http://localhost:1", url, "/")
        async with at_terminal(tmp_path, *asking) as terminal:
            await terminal.shows(f"asking {url} (GET) ...")
