"""The smallest change, and how to make it."""

import shlex
from dataclasses import replace

import pytest

from corsproxy.core.advice.remedies import Remedy, remedy_for
from corsproxy.core.policy import CorsRules
from corsproxy.core.source import ARGUMENTS, DEFAULT, Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import FILE, origins, policy, route, rules

AT = Source(FILE, 4, 5)
POLICY = policy()


def refused(
    code: Code, subject: str, at: Source | None = AT, route: str | None = "default"
) -> Verdict:
    return Verdict(Kind.ACTUAL, code, False, route, at, subject)


@pytest.mark.parametrize(
    ("code", "subject", "sentence", "command"),
    [
        (
            Code.ORIGIN_NOT_ALLOWED,
            "https://a.test",
            'add "https://a.test" to allow_origins (corsproxy.yaml:4:5)',
            "corsproxy allow origin https://a.test",
        ),
        (
            Code.METHOD_NOT_ALLOWED,
            "PURGE",
            'add "PURGE" to allow_methods (corsproxy.yaml:4:5)',
            "corsproxy allow method PURGE",
        ),
        (
            Code.HEADER_NOT_ALLOWED,
            "x-a",
            'add "x-a" to allow_headers (corsproxy.yaml:4:5)',
            "corsproxy allow header x-a",
        ),
        (
            Code.CREDENTIALS_NOT_ALLOWED,
            "credentials",
            "set allow_credentials: true (corsproxy.yaml:4:5)",
            "corsproxy allow credentials",
        ),
        (
            Code.HOST_NOT_ALLOWED,
            "a.test",
            'add "a.test" to allowed_hosts (corsproxy.yaml:4:5)',
            "corsproxy allow host a.test",
        ),
    ],
)
def test_remedy_names_key_value_and_place(
    code: Code, subject: str, sentence: str, command: str
) -> None:
    remedy = remedy_for(refused(code, subject), POLICY)
    assert remedy is not None
    assert (remedy.sentence, remedy.command) == (sentence, command)


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        (Code.ORIGIN_NOT_ALLOWED, "null"),
        (Code.ORIGIN_NOT_ALLOWED, ""),
        (Code.HOST_NOT_ALLOWED, "0.0.0.0"),
        (Code.METHOD_NOT_ALLOWED, "CONNECT"),
        (Code.METHOD_NOT_ALLOWED, "purge"),
        (Code.METHOD_NOT_ALLOWED, "FROBNICATE"),
        (Code.METHOD_NOT_ALLOWED, "a b"),
        (Code.HEADER_NOT_ALLOWED, "x a"),
        (Code.HEADER_NOT_ALLOWED, "x*"),
        (Code.HEADER_NOT_ALLOWED, "cookie"),
        (Code.HEADER_NOT_ALLOWED, "access-control-allow-origin"),
        (Code.HOST_NOT_ALLOWED, "a..test"),
        (Code.BAD_TARGET, "x"),
        (Code.UPSTREAM_DNS, ""),
    ],
)
def test_what_no_entry_can_allow_has_no_remedy(code: Code, subject: str) -> None:
    assert remedy_for(refused(code, subject), POLICY) is None


def test_where_no_route_takes_the_path_no_entry_helps() -> None:
    verdict = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", route=None)
    assert remedy_for(verdict, POLICY) is None
    host = remedy_for(refused(Code.HOST_NOT_ALLOWED, "a.test", route=None), POLICY)
    assert host is not None


def own_list() -> CorsRules:
    return replace(rules(), origins=origins(line=20))


@pytest.mark.parametrize(
    ("refusing", "named"),
    [(own_list(), "--route b"), (rules(), None)],
    ids=["a list of its own", "the default's list"],
)
def test_of_several_routes_the_one_with_a_list_of_its_own_is_named(
    refusing: CorsRules, named: str | None
) -> None:
    several = policy(route(b"/a"), route(b"/b", refusing))
    at = refusing.origins.source
    verdict = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", at, "b")
    remedy = remedy_for(verdict, several)
    assert remedy is not None
    assert remedy.command == " ".join(
        filter(None, ["corsproxy allow origin https://a.test", named])
    )


def test_the_only_route_needs_no_name() -> None:
    verdict = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", Source(FILE, 20, 5))
    remedy = remedy_for(verdict, policy(route(b"/", own_list())))
    assert remedy is not None
    assert remedy.route is None


@pytest.mark.parametrize(
    ("remedy", "words"),
    [
        (
            Remedy("allow_headers", "-x", AT, "b"),
            ["corsproxy", "allow", "header", "--route", "b", "--", "-x"],
        ),
        (
            Remedy("allow_headers", "x'y$!`", Source("my file.yaml", 1, 1)),
            ["corsproxy", "allow", "header", "x'y$!`", "-c", "my file.yaml"],
        ),
    ],
    ids=["like an option", "special to a shell"],
)
def test_the_command_means_itself_to_a_shell(remedy: Remedy, words: list[str]) -> None:
    assert remedy.command is not None
    assert shlex.split(remedy.command) == words


def test_without_a_file_the_flag_is_named() -> None:
    verdict = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", Source("--allow-origin"))
    remedy = remedy_for(verdict, POLICY)
    assert remedy is not None
    assert remedy.sentence == "start corsproxy with --allow-origin https://a.test"
    assert remedy.command is None


def test_key_that_only_a_file_has_points_to_the_file() -> None:
    remedy = remedy_for(refused(Code.HOST_NOT_ALLOWED, "a.test", DEFAULT), POLICY)
    assert remedy is not None
    assert "corsproxy init" in remedy.sentence
    assert remedy.command is None


def test_where_a_program_passes_the_rules_no_file_is_named() -> None:
    remedy = Remedy("allow_origins", "https://a.example", Source(ARGUMENTS, 7, 26))
    assert remedy.command is None
    assert remedy.sentence == 'pass "https://a.example" in `allow_origins` to proxy_app'
