"""Starting the proxy: where the policy comes from, and what prevents the start."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import FREE_PORTS, finished, started

URL = "http://127.0.0.1:9"
GOOD = f"upstream: {URL}\ncors:\n  allow_origins: [http://localhost:5173]\n"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# Where the policy comes from


async def test_a_url_is_enough() -> None:
    async with started(URL, *FREE_PORTS) as command:
        ready = await command.event("ready")
        assert ready["listen"][0].startswith("http://127.0.0.1:")


async def test_serve_may_be_explicit() -> None:
    async with started("serve", URL, *FREE_PORTS) as command:
        await command.event("ready")


@pytest.mark.parametrize("arguments", [[], ["-c", "corsproxy.yaml"], ["serve"]], ids=" ".join)
async def test_a_file_is_enough(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "corsproxy.yaml").write_text(GOOD)
    async with started(*arguments, *FREE_PORTS, cwd=tmp_path) as command:
        await command.event("ready")


async def test_everything_may_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(GOOD)
    variables = {
        "CORSPROXY_CONFIG": str(tmp_path / "x.yaml"),
        "CORSPROXY_LISTEN": "127.0.0.1:0 127.0.0.1:0",
        "CORSPROXY_ADMIN": "off",
        "CORSPROXY_LOG_FORMAT": "json",
    }
    async with started(env=variables) as command:
        ready = await command.event("ready")
        assert len(ready["listen"]) == 2
        assert ready["admin"] is None


async def test_a_variable_that_overrides_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(f"{GOOD}drain_delay: 0s\nshutdown_grace: 1s\n")
    variables = {"CORSPROXY_DRAIN_DELAY": "5s", "CORSPROXY_SHUTDOWN_GRACE": ""}
    async with started(*FREE_PORTS, cwd=tmp_path, env=variables) as command:
        warning = await command.event("warning")
        assert (warning["code"], warning["line"]) == ("overridden-key", 4)
        assert "CORSPROXY_DRAIN_DELAY" in warning["message"]
        await command.event("ready")
        assert [event["event"] for event in command.events] == ["warning", "ready"]
        (tmp_path / "corsproxy.yaml").write_text(f"{GOOD}drain_delay: 1s\n")
        assert "1s here, but 5s" in (await command.event("warning"))["message"]


async def test_an_upstream_from_the_environment() -> None:
    async with started(*FREE_PORTS, env={"CORSPROXY_UPSTREAM": URL}) as command:
        await command.event("ready")


async def test_flags_win_over_the_file(tmp_path: Path, taken: int) -> None:
    (tmp_path / "corsproxy.yaml").write_text(
        f"{GOOD}listen: 127.0.0.1:{taken}\nadmin: 127.0.0.1:{taken + 1}\nlog: {{format: text}}\n"
    )
    arguments = ("-l", "127.0.0.1:0", "--admin", "off", "--log-format", "json")
    async with started(*arguments, cwd=tmp_path) as command:
        ready = await command.event("ready")
        assert (len(ready["listen"]), ready["admin"]) == (1, None)


async def test_text_is_for_people(tmp_path: Path) -> None:
    async with started(URL, *FREE_PORTS, "--log-format", "text") as command:
        assert command.process.stdout is not None
        lines = [await command.process.stdout.readline() for _ in range(4)]
        assert "CORSPROXY v" in lines[1].decode()
        assert f"→  {URL}" in lines[3].decode()


async def test_an_unread_file_is_mentioned(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("broken: [")
    async with started(URL, *FREE_PORTS, "--log-format", "text", cwd=tmp_path) as command:
        assert command.process.stdout is not None
        line = await command.process.stdout.readline()
        assert line == b"corsproxy.yaml is not read: the command line names an upstream.\n"


async def test_risky_settings_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(f'{GOOD}allowed_hosts: "*"\n')
    async with started(*FREE_PORTS, cwd=tmp_path) as command:
        warning = await command.event("warning")
        assert warning["line"] == 4
        await command.event("ready")


# What stops it


async def test_no_file_and_no_upstream_says_what_to_do(tmp_path: Path) -> None:
    code, out, err = await finished(cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        "corsproxy: there is no corsproxy.yaml in this directory\n"
        "  name an upstream (corsproxy https://api.example.com), name a file "
        "(corsproxy -c FILE), or write one (corsproxy init)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([URL, "-c", "corsproxy.yaml"], "are mutually exclusive"),
        (["--allow-origin", "https://a.example"], "corsproxy allow origin https://a.example"),
        (["ftp://api.example.com"], "UPSTREAM"),
        ([URL, "--allow-origin", "a.example"], "--allow-origin"),
        ([URL, "-l", "localhost"], "port"),
        ([URL, "--admin", "on"], "port"),
        ([URL, "--log-format", "xml"], "xml"),
        ([URL, "--drain-delay", "soon"], "this is not a valid duration"),
        ([URL, "--prot", "8010"], "--prot"),
        ([URL, "another"], "another"),
        (["-c", "missing.yaml"], "cannot read missing.yaml: no such file or directory"),
        (["-c", "."], "cannot read .: is a directory"),
    ],
)
async def test_a_wrong_command_line_is_a_usage_error(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "corsproxy.yaml").write_text(GOOD)
    code, out, err = await finished(*arguments, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize("content", [b"upstream: [", b"", b"\xff\xfe\x00", b"upstream: caf\xe9"])
async def test_a_refused_file_is_shown_with_its_problems(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "corsproxy.yaml").write_bytes(content)
    code, out, err = await finished(*FREE_PORTS, cwd=tmp_path)
    assert (code, out) == (78, "")
    assert "--> corsproxy.yaml" in err
    assert err.splitlines()[-1].startswith("corsproxy: corsproxy.yaml is refused: 1 error")
    assert "Traceback" not in err


async def test_a_taken_port_is_one_sentence(taken: int) -> None:
    code, out, err = await finished(URL, "-l", f"localhost:{taken}", "--admin", "off")
    assert (code, out) == (3, "")
    assert err.startswith(f"corsproxy: port {taken} is in use (")
    assert "; try -l localhost:" in err
    assert err.count("\n") == 1


async def test_a_taken_admin_port_is_one_sentence(taken: int) -> None:
    code, _, err = await finished(URL, "-l", "127.0.0.1:0", "--admin", f"127.0.0.1:{taken}")
    assert code == 3
    assert err.count("\n") == 1
    assert "--admin off" in err


async def test_a_second_proxy_on_the_same_port_does_not_start() -> None:
    async with started(URL, "-l", "localhost:0", "--admin", "off") as command:
        port = (await command.event("ready"))["listen"][0].rpartition(":")[2]
        code, _, err = await finished(URL, "-l", f"localhost:{port}", "--admin", "off")
        assert code == 3
        assert f"port {port} is in use" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("http://localhost:8010",),
        ("http://127.0.0.1:8010/v1",),
        ("http://localhost:3000", "-l", "localhost:3000"),
        ("http://api.test:3000", "-l", "api.test:3000"),
    ],
)
async def test_a_proxy_that_would_ask_itself_does_not_start(arguments: tuple[str, ...]) -> None:
    code, out, err = await finished(*arguments, "--admin", "off")
    assert (code, out) == (2, "")
    assert "is where this proxy itself listens" in err


async def test_a_missing_tls_file_is_shown_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(
        "routes:\n"
        "  - path: /\n"
        "    upstream: https://api.example.com\n"
        "    tls: {ca_file: missing.pem}\n"
        "    cors: {allow_origins: [http://localhost:5173]}\n"
    )
    code, out, err = await finished(*FREE_PORTS, cwd=tmp_path)
    assert (code, out) == (3, "")
    assert f"{tmp_path}/missing.pem cannot be used: no such file or directory" in err
    assert "--> corsproxy.yaml:4:20" in err
    assert "Traceback" not in err


async def test_unusable_authorities_are_reported_at_start_up(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n")
    arguments = ("https://localhost:1", "--ca-file", "ca.pem")
    code, _, err = await finished(*arguments, cwd=tmp_path)
    assert code == 3
    assert "ca.pem cannot be used" in err
