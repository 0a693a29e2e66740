"""The flags that go with an UPSTREAM, through the installed command."""

from pathlib import Path

import pytest

from tests.process import FREE_PORTS, finished, started


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["-k"], "tls: {verify: false}"),
        (["--preserve-host"], "preserve_host: true"),
        (["--origin", "remove"], "`origin:`"),
        (["--header", "X-Key: hunter2"], "request_headers"),
        (["--allow-origin", "https://a.example"], "corsproxy allow origin https://a.example"),
    ],
)
async def test_with_a_file_they_name_the_key(
    tmp_path: Path, arguments: list[str], key: str
) -> None:
    (tmp_path / "corsproxy.yaml").write_text("upstream: https://api.example.com\n")
    code, _, err = await finished(*arguments, cwd=tmp_path)
    assert code == 2
    assert key in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("X-Key", "no colon"),
        ("Host: x", "preserve_host"),
        ("Access-Control-Allow-Origin: *", "by this proxy alone"),
        ("X-Key: a\x01", "control character"),
        # As in a file: CGI cannot tell them apart.
        ("x_first: 2", "x_first is set twice"),
    ],
)
async def test_a_header_that_cannot_be_set_is_refused(
    tmp_path: Path, header: str, words: str
) -> None:
    headers = ("--header", "X-First: 1", "--header", header)
    code, _, err = await finished("https://api.example.com", *headers, cwd=tmp_path)
    assert (code, words in err) == (2, True), err


async def test_port_and_listen_are_mutually_exclusive(tmp_path: Path) -> None:
    for command in ((), ("init",)):
        code, _, err = await finished(
            *command, "3000", "-p", "1", "-l", "localhost:2", cwd=tmp_path
        )
        assert (code, "give one" in err) == (2, True)


@pytest.mark.parametrize(
    ("variables", "arguments", "listen"),
    [
        ({"LISTEN": "[::1]:8010"}, ["-p", "0"], "http://[::1]:"),
        ({"LISTEN": "[::1]:8010", "PORT": "0"}, [], "http://[::1]:"),
        ({"PORT": "8010"}, ["-l", "127.0.0.1:0"], "http://127.0.0.1:"),
        ({"LISTEN": "[::1]:8010", "PORT": "8010"}, ["-l", "127.0.0.1:0"], "http://127.0.0.1:"),
    ],
)
async def test_a_port_moves_the_addresses_of_the_environment(
    tmp_path: Path, variables: dict[str, str], arguments: list[str], listen: str
) -> None:
    env = {f"CORSPROXY_{name}": value for name, value in variables.items()}
    async with started("3000", *arguments, "--admin", "off", cwd=tmp_path, env=env) as command:
        [url] = (await command.event("ready"))["listen"]
    assert url.startswith(listen)
    assert not url.endswith(":8010")


async def test_a_kubernetes_service_variable_is_not_a_port(tmp_path: Path) -> None:
    env = {"CORSPROXY_PORT": "tcp://10.0.0.1:8010"}
    async with started("3000", *FREE_PORTS, cwd=tmp_path, env=env) as command:
        assert (await command.event("ready"))["listen"]


async def test_flags_have_variables(tmp_path: Path) -> None:
    env = {"CORSPROXY_PORT": "0", "CORSPROXY_QUIET": "1", "CORSPROXY_ADMIN": "off"}
    async with started("api.example.com", cwd=tmp_path, env=env) as command:
        [url] = (await command.event("ready"))["listen"]
    assert url.startswith("http://localhost:")
    assert not url.endswith(":8010")


async def test_a_file_of_the_same_flags(tmp_path: Path) -> None:
    code, out, _ = await finished("init", "3000", "-p", "9000", "--admin", "off", cwd=tmp_path)
    assert (code, out) == (0, "Wrote corsproxy.yaml. Run: corsproxy\n")
    text = (tmp_path / "corsproxy.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert 'listen: ["localhost:9000"]' in text
    assert (await finished("check", "--strict", cwd=tmp_path))[0] == 0


async def test_flags_of_an_upstream_need_one(tmp_path: Path) -> None:
    for flag in ("--preserve-host", "--https"):
        code, _, err = await finished("init", flag, cwd=tmp_path)
        assert (code, "UPSTREAM" in err) == (2, True)
    assert not (tmp_path / "corsproxy.yaml").exists()
