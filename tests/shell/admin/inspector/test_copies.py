import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corsproxy.cli import explain
from corsproxy.config.expectations import read_expectations
from corsproxy.core.messages import Field
from corsproxy.shell.admin.inspector.copies import (
    NotCopiedError,
    Rules,
    as_curl,
    as_explain,
    as_fetch,
    as_test_case,
)
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.secrets import OpenRedactor
from tests.inspecting import captured, preflight, redactor, row

NO_REDACTOR = OpenRedactor(b"")
SHELL = shutil.which("sh") or "sh"

# Tells what it was called with, and what it was fed, and nothing else.
CURL = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >"$TOLD/words"
case "$*" in *@-) cat >"$TOLD/fed";; *) : >"$TOLD/fed";; esac
"""


class Ran(NamedTuple):
    words: list[bytes]
    fed: bytes
    files: set[str]
    """What there is in the directory that it ran in."""


class Shell:
    def __init__(self, directory: Path) -> None:
        self._told, self._here = directory / "told", directory / "here"
        self._programs = directory / "programs"
        for each in (self._told, self._here, self._programs):
            each.mkdir()
        curl = self._programs / "curl"
        curl.write_text(CURL)
        curl.chmod(0o755)

    def run(self, text: str) -> Ran:
        environ = {"PATH": f"{self._programs}:/usr/bin:/bin", "TOLD": str(self._told)}
        subprocess.run([SHELL], input=text.encode(), env=environ, cwd=self._here, check=False)
        words = (self._told / "words").read_bytes().split(b"\0")[:-1]
        files = {path.name for path in self._here.iterdir()}
        return Ran(words, (self._told / "fed").read_bytes(), files)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell"))


def headers(words: list[bytes]) -> list[bytes]:
    return [words[at + 1] for at, word in enumerate(words) if word == b"--header"]


def test_the_request_as_it_was(shell: Shell) -> None:
    exchange = captured(
        "PUT",
        b"/v1/users?q=it's&x=$(touch%20a)",
        [(b"Accept", b"*/*"), (b"X-Quote", b"it's; `id` $HOME"), (b"X-Empty", b"")],
        body=b'{"name": "it\'s"}',
    )  # fmt: skip
    ran = shell.run(as_curl(row(exchange), NO_REDACTOR))
    assert ran.words[ran.words.index(b"--request") + 1] == b"PUT"
    assert b"http://localhost:8010/v1/users?q=it's&x=$(touch%20a)" in ran.words
    assert b"X-Quote: it's; `id` $HOME" in headers(ran.words)
    assert b"X-Empty;" in headers(ran.words)
    assert ran.words[-2:] == [b"--data-raw", b'{"name": "it\'s"}']


@pytest.mark.parametrize(
    "body",
    [
        b"line one\nline two\r\n",
        b"\x00\x01\xff\x1b[201~\x03rm -rf /\n",
        b"\\0101 \\n %s %%\n",
        "né‮".encode(),
        b"@/etc/passwd\n",
    ],
)
def test_hostile_bodies_are_escaped(shell: Shell, body: bytes) -> None:
    command_line = as_curl(row(captured("POST", body=body)), NO_REDACTOR)
    assert command_line.isascii()
    assert command_line.isprintable()
    assert shell.run(command_line).fed == body


def test_a_body_that_names_a_file_is_sent_as_it_is(shell: Shell) -> None:
    ran = shell.run(as_curl(row(captured("POST", body=b"@/etc/passwd")), NO_REDACTOR))
    assert ran.words[-2:] == [b"--data-raw", b"@/etc/passwd"]


def test_secrets_are_marks_unless_asked_for() -> None:
    exchange = captured(fields=[(b"Authorization", b"Bearer abcdef-123456")])
    assert "abcdef-123456" not in as_curl(row(exchange), redactor())
    assert "abcdef-123456" in as_curl(row(exchange), NO_REDACTOR)


HOSTILE = st.one_of(
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"'; touch pwned; '", b"$(touch pwned)", b"`touch pwned`", b"\\'; touch pwned #",
            b"'\"'\"'; touch pwned", b"!!", b"-o pwned", b"@pwned", b"| tee pwned",
            b"\ttouch pwned",
            b"> pwned", b"& touch pwned &", "\u2028touch pwned\u202e".encode(), b"\x1b]0;pwned\x07",
        ]
    ),
)  # fmt: skip
LINES = st.lists(st.tuples(st.sampled_from([b"X-A", b"Cookie", b"Referer"]), HOSTILE), max_size=3)
METHODS = st.sampled_from(["GET", "POST", "DELETE", "-X", "$HOME", "a'b", "`id`", "HEAD"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(METHODS, HOSTILE, LINES, HOSTILE)
def test_no_copy_runs_anything_but_the_request(
    shell: Shell, method: str, path: bytes, lines: Sequence[Field], body: bytes
) -> None:
    exchange = captured(method, b"/" + path, lines, body=body)
    text = as_curl(row(exchange), NO_REDACTOR)
    assert "\n" not in text
    assert text.isprintable()
    ran = shell.run(text)
    assert ran.files == set()
    values = headers(ran.words)
    assert len(values) == len(lines) + 1
    assert sum(word.startswith(b"http://localhost:8010/") for word in ran.words) == 1
    fed = ran.fed or (ran.words[-1] if ran.words[-2] == b"--data-raw" else b"")
    assert fed == body


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE)
def test_the_explain_command_runs_nothing_else(shell: Shell, path: bytes, name: bytes) -> None:
    exchange = preflight("PUT", b"/" + path, name)
    text = as_explain(row(exchange), NO_REDACTOR, Rules("corsproxy.yaml"))
    assert text.isprintable()
    result = subprocess.run(
        [SHELL, "-c", f'set -- {text}; printf \'%s\\n\' "$1" "$2"'],
        capture_output=True,
        check=True,
    )
    assert result.stdout == b"corsproxy\nexplain\n"


def words_of(exchange: Exchange) -> list[str]:
    text = as_explain(row(exchange), NO_REDACTOR, Rules("my file.yaml"))
    told = subprocess.run(
        [SHELL, "-c", f"set -- {text}; printf '%s\\0' \"$@\""], capture_output=True, check=True
    )
    return told.stdout.decode().split("\0")[1:-1]


def test_the_explain_command_is_one_that_the_command_line_takes() -> None:
    found = words_of(preflight("PUT", b"/v1/users?a=b", b"content-type,x-b"))
    assert found == [
        "explain", "-c", "my file.yaml", "--origin", "http://localhost:5173", "--method", "PUT",
        "--header", "content-type", "--header", "x-b", "--", "/v1/users?a=b",
    ]  # fmt: skip
    explain.command.make_context("explain", found[1:])


def test_a_fetch_call_sets_what_a_script_may_set() -> None:
    exchange = captured(
        "PUT",
        fields=[(b"Content-Type", b"text/plain"), (b"Cookie", b"a=b"), (b"Sec-Fetch-Site", b"x"),
                (b"User-Agent", b"y"), (b"X-A", b"\xe2\x80\xa8")],
        body="</script>\u2028".encode(),
    )  # fmt: skip
    text = as_fetch(row(exchange), redactor())
    assert text.isascii()
    url, options = text.removeprefix("await fetch(").removesuffix(")").split(", ", 1)
    assert json.loads(url) == "http://localhost:8010/v1/users"
    assert json.loads(options) == {
        "method": "PUT",
        "headers": {"content-type": "text/plain", "x-a": "?"},
        "credentials": "include",
        "body": "</script>\u2028",
    }


@pytest.mark.parametrize(
    ("exchange", "case"),
    [
        (preflight("PUT", headers=b"x-a"),
         'request: "PUT /v1/users", headers: [x-a], expect: header-not-allowed'),
        (captured(target=b"/?token=hunter2-Correct-Horse"), "expect: allowed"),
        (captured(fields=[(b"Cookie", b"a=b")]),
         'request: "GET /v1/users", credentials: true, expect: allowed'),
    ],
)  # fmt: skip
def test_a_test_case_is_one_that_corsproxy_test_takes(exchange: Exchange, case: str) -> None:
    text = as_test_case(row(exchange), redactor())
    assert case in text
    assert "hunter2" not in text
    file = b"config: a.yaml\ncases:\n  " + text.encode()
    [taken] = read_expectations(file, "corsproxy.test.yaml", {}).cases
    assert taken.call.origin == "http://localhost:5173"


def test_a_test_case_needs_a_page() -> None:
    with pytest.raises(NotCopiedError, match="needs an Origin"):
        as_test_case(row(captured(origin=None)), redactor())
