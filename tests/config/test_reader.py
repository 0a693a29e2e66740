"""The file as a whole."""

import re
import subprocess
import sys
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest

from corsproxy.config.findings import MAX_PROBLEMS
from corsproxy.config.keys import KEYS
from corsproxy.config.problems import ConfigError, fixed_line, render
from corsproxy.config.reader import read_admin_address, read_policy
from corsproxy.config.trial import is_at_fix
from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Mapping, Node, Sequence
from corsproxy.core.policy import Policy
from tests.config import broken_files
from tests.config.broken_files import CASES, FIXED, Case, each_case
from tests.config.reading import (
    DIRECTORY,
    MINIMAL,
    NAME,
    codes_of,
    policy_of,
    problems_of,
    with_files,
)

AS_IT_IS = (Path(__file__).parents[2] / "config.example.yaml").read_text(encoding="utf-8")
EXAMPLE = with_files(AS_IT_IS)
STARTER = files("corsproxy.config").joinpath("starter.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "admin"),
    [
        (MINIMAL, "localhost:8011"),
        (f"{MINIMAL}admin: '[::1]:9000'\n", "[::1]:9000"),
        ('admin: ${ADMIN:-127.0.0.1:9000}\nupstraem: x\ncors: ["*"]\n', "127.0.0.1:9000"),
        ("admin: off", "None"),
    ],
)
def test_the_admin_address_is_known_whatever_else_is_wrong(text: str, admin: str) -> None:
    assert str(read_admin_address(text, NAME, {})) == admin


@pytest.mark.parametrize("text", ["admin: [", "", "admin: localhost", "admin:", "admin: ${X}"])
def test_an_unreadable_admin_address_is_not_guessed(text: str) -> None:
    with pytest.raises(ConfigError):
        read_admin_address(text, NAME, {})


def test_three_lines_are_enough() -> None:
    policy = policy_of(MINIMAL)
    assert len(policy.routes) == 1
    assert policy.default_cors.origins.match(b"http://localhost:5173") is not None


def test_bytes_and_text_are_the_same_file() -> None:
    assert policy_of(MINIMAL.encode()) == policy_of(MINIMAL)


def test_the_policy_does_not_depend_on_line_breaks() -> None:
    assert policy_of(MINIMAL.replace("\n", "\r\n").encode()) == policy_of(MINIMAL)
    assert policy_of(b"\xef\xbb\xbf" + MINIMAL.encode()) == policy_of(MINIMAL)


def test_every_problem_is_found_at_once_and_in_file_order() -> None:
    text = """\
verison: 1
listen: nowhere
cors:
  allow_origins: ["*", https://a.test/]
  allow_credentials: yes
  max_age: 999999
upstream: ${API}
routes:
  - path: api
    upstream: ftp://a
    tls: {verify: false}
admin: off
limits: {body: 5 apples}
drain_delay: never
"""
    problems = problems_of(text)
    assert [problem.source.line for problem in problems] == [1, 2, 4, 5, 6, 7, 9, 10, 11, 13, 14]
    assert [problem.severity for problem in problems].count("warning") == 2


def test_a_file_with_an_error_makes_no_policy_and_keeps_its_warnings() -> None:
    text = f"{MINIMAL}trusted_proxies: 0.0.0.0/0\nvia: off\n"
    with pytest.raises(ConfigError) as refused:
        read_policy(text, NAME, {}, DIRECTORY)
    assert [problem.severity for problem in refused.value.problems] == [
        "warning",
        "warning",
        "error",
    ]


def test_warnings_come_with_the_policy() -> None:
    reading = read_policy(f"{MINIMAL}trusted_proxies: 0.0.0.0/0\n", NAME, {}, DIRECTORY)
    assert [problem.code for problem in reading.warnings] == [
        "story-without-host",
        "trusts-everybody",
    ]
    assert len(reading.policy.trusted_proxies) == 1


def test_the_number_of_problems_shown_is_bounded() -> None:
    text = "".join(f"k{number}: 1\n" for number in range(MAX_PROBLEMS + 500))
    problems = problems_of(text)
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].code == "too-many-problems"


def keys_in(node: Node) -> set[str]:
    if isinstance(node, Mapping):
        return {entry.key.text for entry in node.entries}.union(
            *(keys_in(entry.value) for entry in node.entries)
        )
    if isinstance(node, Sequence):
        return set().union(*map(keys_in, node.items))
    return set()


def test_the_example_has_every_key_and_no_problem() -> None:
    assert codes_of(EXAMPLE) == codes_of(AS_IT_IS) == []
    known = {key for keys in KEYS.values() for key in keys}
    assert known <= keys_in(read_document(EXAMPLE, NAME).root)


def test_the_example_shows_the_defaults_of_limits_and_log() -> None:
    policy, default = policy_of(EXAMPLE), policy_of(MINIMAL)
    for name in ("limits", "log", "shutdown_grace", "drain_delay", "via"):
        assert getattr(policy, name) == getattr(default, name)


def test_the_example_is_all_that_a_policy_holds() -> None:
    policy = policy_of(EXAMPLE, {"SHOP_API_KEY": "s3cret"})
    default = policy_of(MINIMAL)
    same = {
        field.name
        for field in fields(Policy)
        if field.compare and getattr(policy, field.name) == getattr(default, field.name)
    }
    unchanged = {"any_host", "limits", "log", "shutdown_grace", "drain_delay", "via", "http2"}
    # What was typed on the command line is in no file.
    assert same == unchanged | {"typed"}
    assert [route.name for route in policy.routes] == ["shop", "events", "/legacy", "/"]
    assert policy.secrets == {"s3cret"}


def test_the_starter_has_no_problem() -> None:
    assert codes_of(STARTER) == []


def test_sources_name_the_file_as_it_was_called() -> None:
    policy = read_policy(MINIMAL, "deploy/cors.yml", {}, DIRECTORY).policy
    assert str(policy.default_cors.origins.patterns[0].source) == "deploy/cors.yml:3:19"


def test_an_alias_points_at_its_anchor() -> None:
    policy = policy_of(
        "x-o: &o [http://localhost:1]\nupstream: http://a\ncors: {allow_origins: *o}\n"
    )
    assert policy.default_cors.origins.source == (NAME, 1, 9)


@pytest.mark.parametrize("environ", [{}, {"API": "https://api.example.com"}])
def test_only_the_given_environment_is_read(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API", "https://other.example.com")
    text = MINIMAL.replace("https://api.example.com", "${API:-http://default}")
    policy = policy_of(text, environ)
    assert str(policy.routes[0].upstream) == (environ.get("API") or "http://default")


def test_the_server_is_not_imported() -> None:
    code = (
        "import sys, corsproxy.config.reader\n"
        "slow = {'aiohttp', 'asyncio', 'uvloop', 'httptools', 'click', 'ssl', 'socket'}\n"
        "sys.exit(str(sorted(slow & sys.modules.keys())) if slow & sys.modules.keys() else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_there_are_many_broken_files() -> None:
    assert len(CASES) >= 500


@each_case
def test_each_problem_of_a_broken_file_is_found_where_it_is(case: Case) -> None:
    found = broken_files.problems_of(case.text)
    places = [(problem.source.line, problem.source.column, problem.code) for problem in found]
    assert places == case.expected, "\n\n".join(map(render, found))


@each_case
def test_each_problem_underlines_text_of_its_line(case: Case) -> None:
    lines = re.split(r"\r\n|\n|\r", case.text)
    for problem in broken_files.problems_of(case.text):
        assert problem.line_text == lines[problem.source.line - 1]
        assert problem.source.column + problem.length <= len(problem.line_text) + 2
        assert problem.message
        assert not problem.message.endswith(".")


@pytest.mark.parametrize("case", FIXED.values(), ids=FIXED)
def test_the_fix_of_a_broken_file_passes(case: Case) -> None:
    assert case.fixed is not None
    left = {problem.code for problem in broken_files.problems_of(case.fixed)}
    # Which the short form cannot be rid of: it has no key for it.
    assert left <= {"story-without-host"}


@each_case
def test_a_suggestion_resolves_its_problem_and_makes_no_other(case: Case) -> None:
    for problem in broken_files.problems_of(case.text):
        fixed = fixed_line(problem)
        if fixed is None:
            continue
        lines = case.text.split("\n")
        lines[problem.source.line - 1] = fixed
        left = broken_files.problems_of("\n".join(lines))
        same = (problem.code, problem.source, problem.message)
        assert same not in {(each.code, each.source, each.message) for each in left}
        known = {(each.code, each.message) for each in broken_files.problems_of(case.text)}
        new = [each for each in left if (each.code, each.message) not in known]
        assert not [render(each) for each in new if is_at_fix(each, problem)]
