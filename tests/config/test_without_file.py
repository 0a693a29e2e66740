"""The policy of `corsproxy URL`."""

import pytest

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.core.origins import LOOPBACK_ORIGINS
from corsproxy.core.policy import Policy
from tests.policies import policy_for_url

API = "https://api.example.com/v2"


def refused(upstream: str, *allow_origins: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as error:
        policy_for_url(upstream, allow_origins)
    return error.value.problems


def test_pages_of_this_machine_may_do_everything() -> None:
    policy = policy_for_url(API, [])
    rules = policy.default_cors
    assert [pattern.text for pattern in rules.origins] == list(LOOPBACK_ORIGINS)
    assert rules.methods.any
    assert rules.request_headers.any
    assert rules.expose_headers.any
    assert rules.credentials
    (route,) = policy.routes
    assert (route.path, str(route.upstream), route.cors) == (b"/", API, rules)


@pytest.mark.parametrize(
    "origin",
    [
        b"http://localhost:5173", b"http://localhost", b"https://localhost:8443",
        b"http://app.localhost:3000", b"http://127.0.0.1:8000", b"http://[::1]:1",
    ],
)  # fmt: skip
def test_every_port_of_this_machine_is_allowed(origin: bytes) -> None:
    assert policy_for_url(API, []).default_cors.origins.match(origin) is not None


@pytest.mark.parametrize(
    "origin",
    [b"null", b"https://evil.example", b"http://localhost.evil.example", b"http://10.0.0.1"],
)
def test_other_origins_are_not_allowed(origin: bytes) -> None:
    assert policy_for_url(API, []).default_cors.origins.match(origin) is None


def test_more_origins_are_added_and_say_where_they_come_from() -> None:
    policy = policy_for_url(API, ["https://app.example.com", "https://*.example.org"])
    added = policy.default_cors.origins.match(b"https://a.example.org")
    assert added is not None
    assert str(added.source) == "--allow-origin"


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("*", "wildcard-with-credentials"),
        ("null", "null-with-credentials"),
        ("https://*.com", "public-suffix-with-credentials"),
        ("https://app.example.com/", "origin-trailing-slash"),
        ("app.example.com", "origin-missing-scheme"),
    ],
)
def test_an_origin_that_cannot_be_added_is_refused(origin: str, code: str) -> None:
    (problem,) = refused(API, origin)
    assert (problem.code, str(problem.source)) == (code, "--allow-origin")


def test_a_suggestion_is_in_the_help() -> None:
    (problem,) = refused(API, "https://app.example.com/")
    assert "https://app.example.com" in problem.help
    assert "https://app.example.com/" in problem.message


def test_plain_http_elsewhere_may_be_added() -> None:
    assert isinstance(policy_for_url(API, ["http://app.test:3000"]), Policy)


def test_every_bad_value_is_refused_at_once() -> None:
    problems = refused("https:/api.example.com", "app.test", "https://b/")
    assert [str(problem.source) for problem in problems] == [
        "UPSTREAM",
        "--allow-origin",
        "--allow-origin",
    ]
    assert "https://api.example.com" in problems[0].help


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    (problem,) = refused("https://me:hunter2@api.example.com")
    assert problem.code == "upstream-userinfo"
    assert "hunter2" not in "".join(map(str, problem))


def test_no_key_is_named_without_the_way_to_a_file() -> None:
    (problem,) = refused("https://me:hunter2@api.example.com")
    assert problem.help.startswith("send credentials in a header: --header ")
    (problem,) = refused(API, "*")
    assert "allow_credentials" not in problem.message
    (problem,) = refused(API, "http://a.test,http://b.test")
    assert problem.help.startswith("give --allow-origin once for each, or ")
