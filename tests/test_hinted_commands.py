"""The command in a hint makes the same call work: copied from the terminal, run, repeated."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes import Reply
from tests.peers import DEADLINE_SECONDS, RawPeer, answers
from tests.policies import PAGE
from tests.process import PROJECT, Command, environment, finished, started
from tests.running import OK, ask

OTHER = "https://app.example.com"

SHORT = f"""\
upstream: http://127.0.0.1:{{port}}
cors:
  allow_origins: [{PAGE}]
"""
SEVERAL = f"""\
cors:
  allow_origins: [{PAGE}]
  allow_headers: [content-type]
routes:
  - name: shop
    path: /shop
    upstream: http://127.0.0.1:{{port}}
    cors:
      allow_origins: [{PAGE}]
      allow_methods: [PUT]
  - name: auth
    path: /auth
    upstream: http://127.0.0.1:{{port}}
    cors:
      allow_origins: [{PAGE}]
      allow_methods: [PUT]
      unlisted_origins: forward
"""


def get(path: str, origin: str = PAGE, host: str = "localhost") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n"


def preflight(path: str, method: str = "GET", headers: str = "") -> str:
    fields = f"Access-Control-Request-Method: {method}\r\n"
    if headers:
        fields += f"Access-Control-Request-Headers: {headers}\r\n"
    return f"OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\n{fields}\r\n"


class Refused(NamedTuple):
    """A call that the file refuses, and the command that the hint must name."""

    file: str
    call: str
    command: str
    name: str = "corsproxy.yaml"


CASES = {
    "origin": Refused(SHORT, get("/", OTHER), f"origin {OTHER}"),
    "origin, in another file": Refused(
        SHORT, get("/", OTHER), f"origin {OTHER} -c 'my file.yaml'", "my file.yaml"
    ),
    "origin, of one route": Refused(SEVERAL, get("/shop", OTHER), f"origin {OTHER} --route shop"),
    "origin, forwarded": Refused(SEVERAL, get("/auth", OTHER), f"origin {OTHER} --route auth"),
    "method": Refused(SHORT, preflight("/", "PURGE"), "method PURGE"),
    "method, of one route": Refused(
        SEVERAL, preflight("/auth", "PATCH"), "method PATCH --route auth"
    ),
    "header": Refused(SHORT, preflight("/", headers="x-a"), "header x-a"),
    "header, of all routes": Refused(SEVERAL, preflight("/auth", headers="x-a"), "header x-a"),
    "header, special to a shell": Refused(
        SHORT, preflight("/", headers="-x'$!`"), "header -- '-x'\"'\"'$!`'"
    ),
    "host": Refused(SHORT, get("/", host="shop.test"), "host shop.test"),
}


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH whose `corsproxy` is the one under test."""
    directory = tmp_path / "programs"
    directory.mkdir()
    program = directory / "corsproxy"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m corsproxy "$@"\n')
    program.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


async def line_with(command: Command, text: str) -> str:
    assert command.process.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while line := (await command.process.stdout.readline()).decode():
            if text in line:
                return line.rstrip("\n")
    raise AssertionError(f"no line with {text}; {await command.complaints()}")


async def shell(command: str, directory: Path, programs: str) -> str:
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=directory,
        env=environment(PATH=programs, PYTHONPATH=str(PROJECT)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


def is_allowed(reply: Reply) -> bool:
    granted = reply.grant is not None and reply.value("Corsproxy-Reason") is None
    return granted and reply.status in (200, 204)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_hinted_command_allows_the_call(
    case: Refused, tmp_path: Path, programs: str
) -> None:
    flags = ("-c", case.name, "-l", "127.0.0.1:0", "--admin", "off", "--log-format", "text")
    async with RawPeer(answers(*[OK] * 9)) as upstream:
        (tmp_path / case.name).write_text(case.file.format(port=upstream.port))
        async with started(*flags, cwd=tmp_path) as command:
            line = await line_with(command, "Proxy")
            port = int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])
            first = await ask(port, case.call.encode())
            assert not is_allowed(first)
            line = await line_with(command, "corsproxy allow ")
            hinted = line[line.index("corsproxy allow ") :]
            assert hinted == f"corsproxy allow {case.command}"
            if first.status in (403, 421):
                assert json.loads(first.content)["hint"].endswith(f", or run: {hinted}")
            await shell(hinted, tmp_path, programs)
            await line_with(command, "reloaded")
            again = await ask(port, case.call.encode())
    assert is_allowed(again)


FLAGS = ("-l", "127.0.0.1:0", "--admin", "off", "--log-format", "text")


def start_hinted(line: str) -> list[str]:
    """The words behind `corsproxy` in a hint."""
    return shlex.split(line[line.index("corsproxy ") :])[1:]


async def test_without_a_file_the_hinted_command_allows_the_call_with_all_flags(
    tmp_path: Path,
) -> None:
    call = get("/", OTHER).encode()
    async with RawPeer(answers(OK)) as upstream:
        arguments = (f"127.0.0.1:{upstream.port}", "--origin", "keep", *FLAGS)
        async with started(*arguments, cwd=tmp_path) as command:
            port = await port_shown(command)
            assert (await ask(port, call)).status == 403
            words = start_hinted(await line_with(command, f"--allow-origin {OTHER}"))
        assert words[0] == f"http://127.0.0.1:{upstream.port}"
        assert words[-2:] == ["--allow-origin", OTHER]
        async with started(*words, cwd=tmp_path) as command:
            assert is_allowed(await ask(await port_shown(command), call))
    assert f"origin: {OTHER}".encode() in upstream.heads[0].lower()


async def test_without_a_file_the_file_that_a_hint_writes_has_all_flags(
    tmp_path: Path, programs: str
) -> None:
    call = get("/", host="shop.test").encode()
    async with RawPeer(answers(OK)) as upstream:
        arguments = (f"127.0.0.1:{upstream.port}", "-q", "--origin", "keep", *FLAGS)
        async with started(*arguments, cwd=tmp_path) as command:
            assert (await ask(await port_shown(command), call)).status == 421
            line = await line_with(command, "corsproxy init ")
    await shell(line[line.index("corsproxy ") :], tmp_path, programs)
    written = (tmp_path / "corsproxy.yaml").read_text()
    assert "origin: keep" in written
    assert "shop.test" in written
    await shell("corsproxy check", tmp_path, programs)


async def test_a_secret_of_the_command_line_is_not_repeated(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        arguments = (f"127.0.0.1:{upstream.port}", "--header", "X-Key: hunter2", *FLAGS)
        async with started(*arguments, cwd=tmp_path) as command:
            reply = await ask(await port_shown(command), get("/", OTHER).encode())
            line = await line_with(command, f"--allow-origin {OTHER}")
    assert line.strip() == f"Start corsproxy with --allow-origin {OTHER}"
    assert "hunter2" not in reply.content.decode()


async def port_shown(command: Command) -> int:
    line = await line_with(command, "Proxy")
    return int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])


@pytest.mark.parametrize(
    ("file", "path", "command"),
    [
        (SHORT, "/", "corsproxy allow credentials"),
        (SEVERAL, "/auth", "corsproxy allow credentials"),
        (
            SEVERAL.replace("allow_methods: [PUT]", "allow_credentials: false"),
            "/auth",
            "corsproxy allow credentials --route auth",
        ),
    ],
    ids=["the only route", "all routes", "one route"],
)
async def test_credentials_are_allowed_by_the_command_that_explain_names(
    file: str, path: str, command: str, tmp_path: Path, programs: str
) -> None:
    (tmp_path / "corsproxy.yaml").write_text(file.format(port=9))
    question = ("explain", "--json", "--credentials", "--origin", PAGE, path)
    code, out, _ = await finished(*question, cwd=tmp_path)
    assert code == 1
    assert json.loads(out)["remedy"]["command"] == command
    await shell(command, tmp_path, programs)
    assert (await finished(*question, cwd=tmp_path))[0] == 0
