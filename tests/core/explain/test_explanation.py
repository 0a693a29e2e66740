"""Explanations agree with the decisions, and name the rule and the change."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.decision import decide
from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import ListenAddress
from corsproxy.core.verdicts import Code
from tests.policies import PAGE, listed, policy, preflight, request, route, rules

YAML_ORIGIN = "corsproxy.yaml:3:7"


def test_allowed_call_shows_every_rule_with_its_place() -> None:
    cors = rules(methods=listed("PUT", line=6), request_headers=listed("x-a", line=7))
    explanation = explain(policy(default=cors), PageCall(PAGE, "/x", "put", ("X-A",)))
    assert explanation.allowed
    assert [str(step.at) for step in explanation.steps] == [
        "corsproxy.yaml:1:1",
        YAML_ORIGIN,
        "corsproxy.yaml:6:18",
        "corsproxy.yaml:7:18",
    ]
    assert all(step.passed for step in explanation.steps)
    assert f"Access-Control-Allow-Origin: {PAGE}" in explanation.text()
    assert explanation.console is None
    assert explanation.remedy is None


@pytest.mark.parametrize(
    ("call", "code", "console", "key"),
    [
        (
            PageCall("http://localhost:3000", "/"),
            Code.ORIGIN_NOT_ALLOWED,
            "No 'Access-Control-Allow-Origin' header",
            "allow_origins",
        ),
        (
            PageCall(PAGE, "/", "PURGE"),
            Code.METHOD_NOT_ALLOWED,
            "Method PURGE is not allowed by",
            "allow_methods",
        ),
        (
            PageCall(PAGE, "/", "GET", ("X-B",)),
            Code.HEADER_NOT_ALLOWED,
            "Request header field x-b is not allowed by",
            "allow_headers",
        ),
        (
            PageCall(PAGE, "/", credentials=True),
            Code.CREDENTIALS_NOT_ALLOWED,
            "must be 'true'",
            "allow_credentials",
        ),
    ],
)
def test_refused_call_names_the_change_and_the_consoles_words(
    call: PageCall, code: Code, console: str, key: str
) -> None:
    explanation = explain(policy(), call)
    assert not explanation.allowed
    assert explanation.verdict.code is code
    assert explanation.console is not None
    assert console in explanation.console
    assert explanation.remedy is not None
    assert explanation.remedy.key == key
    assert not explanation.steps[-1].passed
    assert json.loads(json.dumps(explanation.to_json()))["code"] == str(code)


def test_star_policy_with_credentials_has_its_own_reason() -> None:
    explanation = explain(policy(default=rules("*")), PageCall(PAGE, "/", credentials=True))
    assert explanation.verdict.code is Code.CREDENTIALS_WITH_WILDCARD
    assert explanation.verdict.browser_error == "WildcardOriginNotAllowed"


def test_a_near_miss_is_mentioned_first() -> None:
    explanation = explain(policy(), PageCall("http://127.0.0.1:5173", "/"))
    assert explanation.hint is not None
    assert PAGE in explanation.hint


@pytest.mark.parametrize("method", ["FROBNICATE", "patch"])
def test_a_method_that_is_never_forwarded_is_not_explained_as_allowed(method: str) -> None:
    given = policy(default=rules(methods=listed("*")))
    explanation = explain(given, PageCall(PAGE, "/", method))
    assert explanation.verdict.code is Code.METHOD_NOT_ALLOWED
    assert explanation.steps[-1].text == f"method {method}: none that this proxy forwards"
    assert not explanation.steps[-1].passed
    assert explanation.remedy is None
    own = explain(given, PageCall("http://localhost:8010", "/", method))
    assert own.verdict.code is Code.METHOD_NOT_IMPLEMENTED
    assert explanation.hint == own.hint


def test_a_listed_method_that_is_never_forwarded_is_explained_as_answered_with_501() -> None:
    given = policy(default=rules(methods=listed("patch")))
    explanation = explain(given, PageCall(PAGE, "/", "patch"))
    assert explanation.verdict.code is Code.METHOD_NOT_IMPLEMENTED


def test_path_without_route_is_a_404_that_the_page_can_read() -> None:
    explanation = explain(policy(route(b"/api")), PageCall(PAGE, "/other"))
    assert explanation.verdict.code is Code.NO_ROUTE
    assert not explanation.allowed


@pytest.mark.parametrize(
    "call",
    [
        PageCall("localhost:5173", "/"),
        PageCall(f"{PAGE}/", "/"),
        PageCall(PAGE, "/", "TRACE"),
        PageCall(PAGE, "/", "a b"),
        PageCall(PAGE, "x"),
        PageCall(PAGE, "/é"),
        PageCall(PAGE, "/a b"),
        PageCall(PAGE, "/ HTTP/1.1\r\nX: y"),
        PageCall(PAGE, "/", headers=("a b",)),
        PageCall(PAGE, "/", headers=("Cookie",)),
    ],
)
def test_questions_that_no_browser_asks_are_refused_in_words(call: PageCall) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        explain(policy(), call)


@given(
    origin=st.sampled_from([PAGE, "http://localhost:1", "https://a.example.com", "null"]),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "patch", "PURGE"]),
    headers=st.lists(st.sampled_from(["content-type", "X-A", "range"]), max_size=3),
    target=st.sampled_from(["/", "/api/x", "/open", "/a/../b"]),
)
def test_explanation_agrees_with_the_decisions(
    origin: str, method: str, headers: list[str], target: str
) -> None:
    given_policy = policy(
        route(b"/"),
        route(b"/api", rules("https://*.example.com", methods=listed("PURGE"))),
        route(b"/open", rules("*", request_headers=listed("*"))),
    )
    call = PageCall(origin, target, method, tuple(headers))
    explanation = explain(given_policy, call)
    path = target.encode()
    allowed = decide(given_policy, request(call.normalized_method, path, origin=origin))
    expected = allowed.verdict.allowed
    if call.needs_preflight:
        asked = ",".join(call.asked_headers).encode() or None
        asking = preflight(call.normalized_method.encode(), asked, path, origin)
        expected = expected and decide(given_policy, asking).verdict.allowed
    assert explanation.allowed == expected
    assert explanation.allowed == all(step.passed for step in explanation.steps)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (PageCall(PAGE, "/a/..%2fb"), None, None),
        (
            PageCall(PAGE, "/a/..%2fb", "PUT"),
            "PreflightInvalidStatus",
            "preflight request doesn't pass access control check: It does not have HTTP ok status.",
        ),
        (
            PageCall("http://localhost:3000", "/a/..%2fb"),
            "MissingAllowOriginHeader",
            "by CORS policy: No 'Access-Control-Allow-Origin' header",
        ),
        (
            PageCall("http://localhost:3000", "/a/..%2fb", "PUT"),
            "PreflightMissingAllowOriginHeader",
            "access control check: No 'Access-Control-Allow-Origin' header",
        ),
        (PageCall("http://localhost:8010", "/a/..%2fb"), None, None),
    ],
)
def test_an_error_of_ours_is_what_the_browser_makes_of_it(
    call: PageCall, error: str | None, words: str | None
) -> None:
    explanation = explain(policy(), call)
    assert explanation.verdict.code is Code.BAD_TARGET
    assert explanation.verdict.browser_error == error
    assert (explanation.console is None) == (words is None)
    assert (words or "") in (explanation.console or "")


@pytest.mark.parametrize("credentials", [False, True])
@pytest.mark.parametrize("origins", [(PAGE,), (PAGE, "http://localhost:8010")])
def test_a_page_of_the_proxys_own_origin_needs_no_permission(
    origins: tuple[str, ...], credentials: bool
) -> None:
    call = PageCall("http://localhost:8010", "/x", "PURGE", ("X-A",), credentials)
    explanation = explain(policy(default=rules(*origins)), call)
    assert explanation.allowed
    assert explanation.preflight is None
    assert explanation.console is None
    assert all(step.passed for step in explanation.steps)


MEANT = f"Did you mean {PAGE}?"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (PageCall(f"{PAGE}/app", "/"), f"has no path, and allows every page of its site. {MEANT}"),
        (PageCall("", "/"), "'' is not an origin: the entry is empty (write an origin, such as"),
        (PageCall("https://*.a.test", "/"), "'https://*.a.test' stands for several origins: name"),
        (PageCall(PAGE, "/", headers=("X-A: 1",)), "'X-A: 1' is not a header name: give one at a"),
        (PageCall(PAGE, "/a#b"), "browsers keep the fragment to themselves"),
    ],
)
def test_the_likely_intention_is_suggested(call: PageCall, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        explain(policy(), call)


def test_a_refusal_of_no_rule_says_what_is_wrong_with_the_call() -> None:
    explanation = explain(policy(), PageCall(PAGE, "/a/%2e%2e/b"))
    assert explanation.steps[-1].text == "The request target has a dot segment"
    assert not explanation.steps[-1].passed


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("http://localhost:8010", Code.SAME_ORIGIN),
        ("https://localhost:8010", Code.ORIGIN_NOT_ALLOWED),
        ("http://127.0.0.1:8010", Code.ORIGIN_NOT_ALLOWED),
        ("http://localhost", Code.ORIGIN_NOT_ALLOWED),
    ],
)
def test_a_page_is_the_proxys_own_where_the_browser_says_so(origin: str, code: Code) -> None:
    assert explain(policy(), PageCall(origin, "/x")).verdict.code is code


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("https://localhost:8443", Code.SAME_ORIGIN),
        ("http://127.0.0.1:8010", Code.SAME_ORIGIN),
        ("http://localhost:8443", Code.ORIGIN_NOT_ALLOWED),
        ("https://127.0.0.1:8010", Code.ORIGIN_NOT_ALLOWED),
    ],
)
def test_a_listener_on_https_has_an_origin_of_its_own(origin: str, code: Code) -> None:
    listen = (
        ListenAddress("localhost", 8443, https=True),
        ListenAddress("127.0.0.1", 8010),
    )
    assert explain(policy(listen=listen), PageCall(origin, "/x")).verdict.code is code


def test_a_public_page_is_told_of_the_permission_that_it_needs_too() -> None:
    allowed = policy(default=rules("https://app.example.com"))
    for policy_given in (policy(), allowed):
        text = explain(policy_given, PageCall("https://app.example.com", "/x")).text()
        assert "Local Network Access" in text
    assert "Local Network Access" not in explain(policy(), PageCall(PAGE, "/x")).text()


def test_credentials_with_a_wildcard_are_refused_with_what_to_write() -> None:
    explanation = explain(policy(default=rules("*")), PageCall(PAGE, "/x", credentials=True))
    assert explanation.verdict.code is Code.CREDENTIALS_WITH_WILDCARD
    assert f'allow_origins: ["{PAGE}"], and allow_credentials: true' in explanation.text()


def test_where_cors_is_passthrough_the_upstream_decides() -> None:
    under = policy(replace(route(), cors="passthrough", origin="keep"))
    explanation = explain(under, PageCall("https://other.test", "/x"))
    assert explanation.allowed
    assert "\nforwarded: passthrough; whether the page may read" in explanation.text()
    assert "--ask-upstream" in explanation.text()
