"""What there is to say about a call, cause by cause, without a file and with one."""

from typing import Any

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.core.advice.diagnosis import Advice, Cause, Ended, about_streams, advise
from corsproxy.core.decision import Forward, decide, outlook_of
from corsproxy.core.messages import Field, Fields
from corsproxy.core.policy import Policy
from tests.policies import request

PAGE = "http://localhost:5173"
FILE = f"""\
upstream: https://api.example.com
cors:
  allow_origins: [{PAGE}, "https://localhost:5173", "http://127.0.0.1:5173"]
"""
WITHOUT_FILE = quick_policy(Quick("https://api.example.com"))
SITE = (b"Sec-Fetch-Site", b"same-site")
OTHER_SITE = (b"Sec-Fetch-Site", b"cross-site")
CORS = (b"Sec-Fetch-Mode", b"cors")
COOKIE = (b"Cookie", b"a=b")


def with_file(text: str = FILE) -> Policy:
    return read_policy(text, "corsproxy.yaml", {}, "/").policy


def said(
    policy: Policy,
    response: Fields = (),
    status: int = 200,
    *,
    fields: list[Field] | None = None,
    origin: str = PAGE,
    **changes: Any,
) -> list[Advice]:
    asked = request(fields=[CORS, *(fields or [SITE])], origin=origin, **changes)
    decision = decide(policy, asked)
    forward = decision if isinstance(decision, Forward) else None
    grant = decision.grant if isinstance(decision, Forward) else None
    sent = [*response, *(grant.fields if grant is not None else ())]
    if not isinstance(decision, Forward):
        status, sent = decision.head.status, list(decision.head.fields)
    outlook = outlook_of(policy, asked, decision.verdict, forward)
    outcome = outlook.outcome(status, sent)
    return advise(Ended(policy, asked, decision.verdict, status, sent, outlook.call, outcome))


def one(*arguments: Any, **changes: Any) -> tuple[Cause, str]:
    [advice] = said(*arguments, **changes)
    return advice.cause, " ".join(advice.lines)


def test_a_call_that_is_readable_needs_no_advice() -> None:
    assert said(WITHOUT_FILE, [(b"ETag", b"1")]) == []
    assert said(with_file(), [(b"Content-Type", b"a/b")]) == []


def test_credentials_end_in_the_command() -> None:
    cause, words = one(with_file(), fields=[SITE, COOKIE])
    assert cause is Cause.BLOCKED
    assert words.endswith("run: corsproxy allow credentials")


@pytest.mark.parametrize("policy", [WITHOUT_FILE, with_file()])
def test_a_redirect_out_has_its_target_and_the_ways_out(policy: Policy) -> None:
    cause, words = one(policy, [(b"Location", b"https://sso.example.org/login?state=hunter2")], 302)
    assert cause is Cause.REDIRECT
    assert "https://sso.example.org," in words
    assert "open it in a tab" in words
    assert "401" in words
    assert "hunter2" not in words


def test_a_redirect_to_https_of_the_same_host_starts_there() -> None:
    policy = quick_policy(Quick("http://api.example.com"))
    _, words = one(policy, [(b"Location", b"https://api.example.com/v1")], 301)
    assert words.endswith("Start it with: corsproxy https://api.example.com")


def test_a_redirect_to_another_name_of_this_machine_is_to_the_proxy_itself() -> None:
    _, words = one(WITHOUT_FILE, [(b"Location", b"http://127.0.0.1:8010/login")], 302)
    assert "leads to http://127.0.0.1:8010: this proxy as well" in words
    assert words.endswith("Call it there: http://127.0.0.1:8010 in place of http://localhost:8010.")
    for elsewhere in (
        b"http://127.0.0.1:8011/",
        b"https://127.0.0.1:8010/",
        b"http://a.test:8010/",
    ):
        _, words = one(WITHOUT_FILE, [(b"Location", elsewhere)], 302)
        assert "past this proxy" in words


def test_headers_that_the_page_cannot_read_are_named_in_one_command() -> None:
    response = [(b"Upload-Offset", b"1"), (b"Location", b"/x"), (b"Tus-Resumable", b"1.0.0")]
    cause, words = one(with_file(), response, 201)
    assert cause is Cause.UNREAD
    assert words.endswith("corsproxy allow expose upload-offset location tus-resumable")


def test_methods_and_headers_come_at_once() -> None:
    text = f"upstream: https://a.test\ncors:\n  allow_origins: [{PAGE}]\n  allow_methods: [GET]\n"
    asked: list[Field] = [
        SITE,
        (b"Access-Control-Request-Method", b"PATCH"),
        (b"Access-Control-Request-Headers", b"content-type,x-b,x-a"),
    ]
    cause, words = one(with_file(text), fields=asked, method="OPTIONS")
    assert cause is Cause.REFUSED
    assert words == (
        'Add "PATCH" to allow_methods (corsproxy.yaml:4:18) and "x-b", "x-a" to allow_headers'
        " (corsproxy.yaml:3:3), or run:"
        " corsproxy allow method PATCH && corsproxy allow header x-b x-a"
    )
    # An origin that is not listed hides the rest.
    _, words = one(with_file(text), fields=asked, method="OPTIONS", origin="https://app.test")
    assert "https://app.test && corsproxy allow method PATCH && corsproxy allow header" in words
    assert words.startswith('Add "https://app.test" to allow_origins (')


def test_several_headers_are_one_command() -> None:
    names = b",".join(b"x-stainless-%d" % number for number in range(7))
    asked: list[Field] = [
        SITE,
        (b"Access-Control-Request-Method", b"POST"),
        (b"Access-Control-Request-Headers", b"authorization," + names),
    ]
    _, words = one(with_file(), fields=asked, method="OPTIONS")
    command = "corsproxy allow header " + names.decode().replace(",", " ")
    assert words.endswith(command)


CORP = (b"Cross-Origin-Resource-Policy", b"same-origin")


def test_a_resource_policy_is_explained() -> None:
    asked = [SITE]
    for policy, words in ((WITHOUT_FILE, "<img crossorigin>"), (with_file(), "response_headers")):
        mode = (b"Sec-Fetch-Mode", b"no-cors")
        decision = decide(policy, request(fields=[mode, *asked]))
        assert isinstance(decision, Forward)
        received, verdict = decision.received, decision.verdict
        outlook = outlook_of(policy, received, verdict, decision)
        outcome = outlook.outcome(200, [CORP])
        ended = Ended(policy, received, verdict, 200, [CORP], outlook.call, outcome)
        [advice] = advise(ended)
        assert advice.cause is Cause.BLOCKED
        assert words in " ".join(advice.lines)


LOST = (b"Set-Cookie", b"session=1; HttpOnly")


def test_a_cookie_between_schemes_and_one_between_hosts() -> None:
    for_scheme = one(WITHOUT_FILE, [LOST], fields=[OTHER_SITE], origin="https://localhost:5173")
    assert for_scheme[0] is Cause.COOKIE
    assert "scheme" in for_scheme[1]
    assert for_scheme[1].endswith("Start it with: corsproxy https://api.example.com --https")
    for_host = one(WITHOUT_FILE, [LOST], fields=[OTHER_SITE], origin="http://127.0.0.1:5173")
    assert "hosts differ" in for_host[1]
    assert "--https" not in for_host[1]


def test_a_cookie_that_no_browser_takes() -> None:
    _, words = one(WITHOUT_FILE, [(b"Set-Cookie", b"a=1; SameSite=None")])
    assert "SameSite=None needs Secure" in words
    assert said(WITHOUT_FILE, [(b"Set-Cookie", b"a=1; Max-Age=0; SameSite=None")]) == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (WITHOUT_FILE, "corsproxy https://api.example.com --preserve-host"),
        (with_file(), ", preserve_host: true}]` in place of `upstream` (corsproxy.yaml:1:"),
    ],
)
def test_signed_requests_and_logins(policy: Policy, words: str) -> None:
    signed = (b"Authorization", b"AWS4-HMAC-SHA256 Credential=hunter2")
    cause, text = one(policy, (), 403, fields=[SITE, signed])
    assert (cause, words in text, "hunter2" in text) == (Cause.SIGNATURE, True, False)
    for status in (403, 422):
        cause, text = one(policy, (), status, method="POST")
        assert cause is Cause.LOGIN
        assert "CSRF" in text
        assert words in text


def test_a_login_behind_openid_connect() -> None:
    target = b"/realms/x/protocol/openid-connect/token"
    _, words = one(WITHOUT_FILE, (), 403, method="POST", target=target)
    assert words.endswith("corsproxy https://api.example.com --origin remove")
    cause, _ = one(WITHOUT_FILE, target=b"/x/.well-known/openid-configuration")
    assert cause is Cause.DISCOVERY


def test_the_page_of_a_tunnel() -> None:
    cause, words = one(WITHOUT_FILE, [(b"ngrok-error-code", b"ERR_NGROK_6024")], 511)
    assert cause is Cause.INTERSTITIAL
    assert words.endswith("--header 'ngrok-skip-browser-warning: 1'")


def test_passthrough_is_the_upstreams_own() -> None:
    policy = with_file("upstream: https://a.test\ncors: passthrough\n")
    _, words = one(policy)
    assert "passthrough" in words
    assert "No 'Access-Control-Allow-Origin' header" in words


def test_the_upstreams_fault_comes_first() -> None:
    decision = decide(WITHOUT_FILE, request(origin="https://evil.example"))
    ended = Ended(WITHOUT_FILE, request(), decision.verdict, 403, (), None, None, "it was asleep")
    assert advise(ended)[0].lines[0] == "it was asleep"


@pytest.mark.parametrize(
    ("policy", "secure", "words"),
    [
        (WITHOUT_FILE, False, "start it with: corsproxy https://api.example.com --https"),
        (with_file(), False, "write `listen: https://localhost:8010` at the top of the file."),
        (with_file(f"{FILE}http2: false\n"), True, "Write `http2: true` at the top of the file."),
    ],
)
def test_streams_at_the_browsers_limit_end_in_https(
    policy: Policy, secure: bool, words: str
) -> None:
    asked = request(fields=[CORS, SITE], origin=PAGE, secure=secure)
    advice = about_streams(Ended(policy, asked, decide(policy, asked).verdict, 200, ()))
    assert (advice.cause, advice.subject) == (Cause.STREAMS, PAGE)
    assert "HTTP/2" in advice.lines[0]
    assert advice.lines[-1].endswith(words)
