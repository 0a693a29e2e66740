"""Learning from the log of a real proxy, and unreadable input."""

import json
from pathlib import Path

import pytest

from tests.config.learning.test_har import KEPT, answered, har
from tests.config.learning.test_har import entry as har_entry
from tests.peers import RawPeer, answers
from tests.process import FREE_PORTS, finished, started
from tests.running import ask, port_of
from tests.terminal import at_terminal

PAGE = "http://localhost:5173"
FILE = "upstream: http://127.0.0.1:{port}\ncors:\n  allow_origins: [https://app.example.com]\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PREFLIGHT = (
    f"OPTIONS /users HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\n"
    "Access-Control-Request-Method: DELETE\r\nAccess-Control-Request-Headers: x-a\r\n\r\n"
).encode()


async def recorded(directory: Path, peer: RawPeer) -> list[dict[str, object]]:
    """The log of a session against the file, its requests the same each time."""
    async with started(*FREE_PORTS, "--log-format", "json", cwd=directory) as command:
        port = port_of((await command.event("ready"))["listen"][0])
        await ask(port, PREFLIGHT, method="OPTIONS")
        await command.event("request")
    return command.events


async def test_the_proposal_lets_the_same_session_through(tmp_path: Path) -> None:
    async with RawPeer(answers(ANSWER)) as peer:
        (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=peer.port))
        log = await recorded(tmp_path, peer)
        assert log[-1]["decision"] == "refused"
        (tmp_path / "log").write_text("".join(f"{json.dumps(line)}\n" for line in log))
        code, out, err = await finished("learn", "log", cwd=tmp_path)
        assert (code, err) == (0, "")
        assert f"+  allow_origins: [https://app.example.com, {PAGE}]" in out
        assert "origin http://localhost:5173  once, last at 20" in out
        (tmp_path / "diff").write_text(out.partition("\n\n")[0] + "\n")
        code, out, _ = await finished("learn", "log", "--unused", cwd=tmp_path)
        assert (code, out) == (0, "origin https://app.example.com  corsproxy.yaml:3:19\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing",), "cannot read missing"),
        (("/dev/zero",), "/dev/zero is not a log of JSON lines"),
        (("log", "--origin-suffix", "com"), "anyone can get a name under .com"),
        (("log", "--origin-suffix", "https://a.example"), "write a domain"),
        (("log", "--write"), "no terminal"),
        (("broken.har",), "neither a log of JSON lines nor a HAR file"),
        (("no.har",), "no.har:2:10 is neither a log of JSON lines nor a HAR file: it is not JSON"),
        (("long.har",), "it has a number that is too long"),
        (("cut.har",), "cut.har:3:1 is neither a log of JSON lines nor a HAR file: it ends too"),
        (("log",), "log is not a log of corsproxy's JSON lines; its first line is: nothing"),
        (("log",), "make a log with corsproxy --log-format=json"),
        (("missing", "empty", "log"), "cannot read missing"),
        (("missing", "empty", "log"), "log is not a log"),
    ],
)
async def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    (tmp_path / "log").write_text('\nnothing\n{"level": "info"}\n')
    (tmp_path / "empty").write_text("")
    (tmp_path / "no.har").write_text('{\n  "log": x}')
    (tmp_path / "cut.har").write_text('{\n  "log": \n')
    (tmp_path / "long.har").write_text('{\n  "log": ' + "1" * 5000)
    (tmp_path / "broken.har").write_text('{\n  "log": 5}')
    code, _, err = await finished("learn", *arguments, cwd=tmp_path)
    assert code == 2
    assert words in err


async def test_without_refusals_nothing_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    (tmp_path / "log").write_text('{"event": "ready"}\n')
    code, out, err = await finished("learn", "log", cwd=tmp_path)
    assert (code, out) == (0, "corsproxy.yaml: nothing to add for what was refused\n")
    assert err == "corsproxy: no requests in log\n"


async def test_requests_without_origins_teach_nothing_and_that_is_said(tmp_path: Path) -> None:
    """Playwright's HAR of calls that were blocked: no Origin, no preflights."""
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    request = {"method": "GET", "url": "http://localhost:8010/a", "headers": []}
    entry = {"request": request, "response": {"status": -1, "headers": []}}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    code, _, err = await finished("learn", "a.har", cwd=tmp_path)
    assert code == 0
    assert err.startswith("corsproxy: no request in a.har names its page's origin")


REFUSED = {
    "event": "request",
    "kind": "actual",
    "method": "GET",
    "path": "/",
    "origin": PAGE,
    "code": "origin-not-allowed",
}


async def test_a_lone_surrogate_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    (tmp_path / "log").write_text(json.dumps({**REFUSED, "method": "A\ud800"}))
    code, out, err = await finished("learn", "log", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert rf"{PAGE}  once: 'A\ud800' is not a method" in out


async def test_a_refused_host_is_listed_and_proposed_under_a_suffix(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    host = {"code": "host-not-allowed", "host": "api.example.com:8010"}
    (tmp_path / "log").write_text(json.dumps({**REFUSED, **host}))
    code, out, _ = await finished("learn", "log", cwd=tmp_path)
    assert code == 0
    assert "Not proposed:\n  host api.example.com  once: anyone can point a name here" in out
    arguments = ("learn", "log", "--origin-suffix", "example.com")
    code, out, _ = await finished(*arguments, cwd=tmp_path)
    assert code == 0
    assert "+allowed_hosts: [api.example.com]\n" in out
    assert f"+  allow_origins: [https://app.example.com, {PAGE}]\n" in out


async def test_credentials_are_told_by_what_did_not_come(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    passed = {**REFUSED, "kind": "preflight", "asked_method": "PUT", "code": "origin-allowed"}
    log = [REFUSED, {**passed, "user_agent": "Mozilla/5.0", "ts": "2026-11-29T10:11:12Z"}]
    given = "".join(f"{json.dumps(line)}\n" for line in log).encode()
    code, out, _ = await finished("learn", cwd=tmp_path, given=given)
    assert code == 0
    assert "+  allow_credentials: true\n" in out
    why = "once, last at 2026-11-29T10:11:12Z: no call came after a preflight that passed"
    assert f"credentials true              {why}\n" in out


async def test_the_listeners_of_the_file_are_known_in_a_har(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE.format(port=1))
    kept = har_entry("http://localhost:8010/a", error=KEPT, Sec_Fetch_Mode="cors")
    text = har(answered(kept, Access_Control_Allow_Origin=PAGE))
    code, out, _ = await finished("learn", cwd=tmp_path, given=text.encode())
    assert code == 0
    assert "credentials true" in out


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False)])
async def test_it_asks_before_it_writes(tmp_path: Path, answer: str, written: bool) -> None:
    text = FILE.format(port=1)
    (tmp_path / "corsproxy.yaml").write_text(text)
    (tmp_path / "log").write_text(json.dumps(REFUSED))
    async with at_terminal(tmp_path, "learn", "log", "--write") as terminal:
        await terminal.shows("Write corsproxy.yaml? [y/N]")
        terminal.press(answer)
        assert await terminal.exit_code() == 0
    after = (tmp_path / "corsproxy.yaml").read_text()
    assert after == (text.replace("]", f", {PAGE}]") if written else text)
