"""What to do, in words."""

import json
import re
from dataclasses import replace

import pytest

from corsproxy.core.advice.hints import credentials_hint, hint_for, hint_for_client
from corsproxy.core.answers import REASON, Answer
from corsproxy.core.decision import Forward, decide, fail
from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import Limits, Policy, Typed
from corsproxy.core.source import DEFAULT, Source
from corsproxy.core.verdicts import FACTS, Code, Kind, Verdict
from corsproxy.errors import UpstreamError, UpstreamFault
from tests.policies import FILE, PAGE, policy, policy_for_url, request, route, rules, upstream

AT = Source(FILE, 4, 5)
POLICY = policy()
UPSTREAM = "https://api.example.com"
WITHOUT_FILE = policy_for_url(UPSTREAM, ())


def refused(
    code: Code, subject: str = "", at: Source | None = AT, route: str | None = "default"
) -> Verdict:
    return Verdict(Kind.ACTUAL, code, False, route, at, subject)


def test_a_malformed_origin_is_reported_as_malformed() -> None:
    hint = hint_for(refused(Code.ORIGIN_NOT_ALLOWED), POLICY)
    assert hint is not None
    assert "well-formed" in hint


def test_opaque_origin_is_explained() -> None:
    hint = hint_for(refused(Code.ORIGIN_NOT_ALLOWED, "null"), POLICY)
    assert hint is not None
    assert "sandboxed" in hint


def test_hint_begins_like_a_sentence_or_with_an_origin() -> None:
    hint = hint_for(refused(Code.METHOD_NOT_ALLOWED, "PURGE"), POLICY)
    assert hint == (
        'Add "PURGE" to allow_methods (corsproxy.yaml:4:5), or run: corsproxy allow method PURGE'
    )
    near = hint_for(refused(Code.ORIGIN_NOT_ALLOWED, "http://localhost:1"), POLICY)
    assert near is not None
    assert near.startswith("http://localhost:5173 ")
    assert near.endswith(", or run: corsproxy allow origin http://localhost:1")


@pytest.mark.parametrize("code", [Code.METHOD_NOT_ALLOWED, Code.METHOD_NOT_IMPLEMENTED])
@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("patch", "write PATCH in the call."),
        ("purge", "write PURGE in the call."),
        ("FROBNICATE", "only methods that are registered for HTTP."),
    ],
)
def test_a_method_that_no_entry_helps_is_explained(method: str, hint: str, code: Code) -> None:
    found = hint_for(refused(code, method), POLICY)
    assert found is not None
    assert found.endswith(hint)


@pytest.mark.parametrize("code", [Code.NO_ROUTE, Code.ORIGIN_NOT_ALLOWED, Code.HEADER_NOT_ALLOWED])
def test_where_no_route_takes_the_path_it_says_so(code: Code) -> None:
    hint = hint_for(refused(code, "https://a.test", route=None), POLICY)
    assert hint is not None
    assert hint.startswith("No route takes this path")


def test_a_loop_has_a_hint() -> None:
    hint = hint_for(refused(Code.LOOP), POLICY)
    assert hint is not None
    assert "`upstream`" in hint


LIMITS = {
    Code.TARGET_TOO_LONG: ["target"],
    Code.FIELDS_TOO_LARGE: ["field", "field_section", "fields"],
    Code.BODY_TOO_LARGE: ["body"],
    Code.HEAD_TIMEOUT: ["head_timeout"],
    Code.BODY_TIMEOUT: ["body_timeout"],
    Code.CONNECTIONS_FULL: ["connections"],
    Code.UPSTREAM_BUSY: ["in_flight"],
    Code.UPSTREAM_HEAD_TOO_LARGE: ["upstream_field_section"],
}


@pytest.mark.parametrize("code", LIMITS)
@pytest.mark.parametrize("given", [POLICY, WITHOUT_FILE], ids=["file", "no file"])
def test_a_limit_that_was_reached_is_named(code: Code, given: Policy) -> None:
    hint = hint_for(refused(code), given)
    assert hint is not None
    [written] = re.findall(r"`limits: {(.*)}`", hint)
    keys = [each.partition(": ")[0] for each in written.split(", ")]
    assert keys == LIMITS[code]
    assert all(hasattr(Limits(), key) for key in keys)
    assert ("corsproxy init" in hint) == (given is WITHOUT_FILE)


def test_what_cannot_be_helped_has_no_hint() -> None:
    assert hint_for(refused(Code.BAD_TARGET), POLICY) is None


KEY = re.compile(r"`[^`]*:[^`]*`|`upstream`|`routes`")


@pytest.mark.parametrize("code", Code)
def test_without_a_file_a_key_is_named_only_with_the_way_to_one(code: Code) -> None:
    """The key is not to be looked for in a file that does not exist."""
    at = Source("--allow-origin") if code is Code.ORIGIN_NOT_ALLOWED else DEFAULT
    hint = hint_for(refused(code, "https://a.test", at, "/"), WITHOUT_FILE) or ""
    # What is left of braces are mappings in YAML.
    hint_without_files = re.sub(r"`timeout: {[a-z]+: [0-9]+[sm]}`", "`a: b`", hint)
    assert "{" not in re.sub(r"{[a-z_]+: \.\.\.(, [a-z_]+: \.\.\.)*}", "", hint_without_files)
    if KEY.search(hint) and code is not Code.NO_ROUTE:
        assert "corsproxy init" in hint
    assert "(default)" not in hint


TYPED = Typed(("-q", "--origin", "keep"), ("--origin", "keep"))


@pytest.mark.parametrize(
    ("code", "key", "command"),
    [
        (
            Code.UPSTREAM_TLS,
            "",
            f"start it with: corsproxy {UPSTREAM} -q --origin keep --ca-file cert.pem",
        ),
        (
            Code.UPSTREAM_RESPONSE_TIMEOUT,
            "`timeout: {response: 5m}` in the file",
            f"run: corsproxy init {UPSTREAM} --origin keep",
        ),
        (
            Code.BODY_TOO_LARGE,
            "`limits: {body: ...}` in the file",
            f"run: corsproxy init {UPSTREAM} --origin keep",
        ),
    ],
)
def test_without_a_file_a_hint_ends_in_one_command_with_the_flags_that_were_given(
    code: Code, key: str, command: str
) -> None:
    found = replace(WITHOUT_FILE, typed=TYPED)
    hint = hint_for(refused(code), found)
    assert hint is not None
    assert key in hint
    assert hint.endswith(command)
    # Pages, and secrets, are another matter.
    for other in (
        hint_for_client(refused(code), found),
        hint_for(refused(code), replace(found, typed=None)),
    ):
        assert other is not None
        assert "corsproxy " in other
        assert "--origin" not in other


def test_every_failure_of_an_upstream_that_can_be_mended_has_a_hint() -> None:
    without = {
        code
        for code in Code
        if code.startswith("upstream-") and hint_for(refused(code), POLICY) is None
    }
    assert without == {
        Code.UPSTREAM_IDLE_TIMEOUT,
        Code.UPSTREAM_TRUNCATED,
        Code.UPSTREAM_PROXY_AUTH,
    }
    assert without <= set(FACTS)


def test_what_is_copied_has_no_full_stop_behind_it() -> None:
    flag = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", Source("--allow-origin"), "/")
    command = f"corsproxy {UPSTREAM} --allow-origin https://a.test"
    assert hint_for(flag, WITHOUT_FILE) == f"Start it with: {command}"
    to_client = hint_for_client(flag, WITHOUT_FILE)
    assert to_client == "Start corsproxy with --allow-origin https://a.test"
    host = hint_for(refused(Code.HOST_NOT_ALLOWED, "a.test", DEFAULT, "/"), WITHOUT_FILE)
    assert host is not None
    assert host.startswith('Add "a.test" to `allowed_hosts` in the file')
    assert host.endswith(f"run: corsproxy init {UPSTREAM} && corsproxy allow host a.test")


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("given", [POLICY, WITHOUT_FILE], ids=["file", "no file"])
def test_hints_can_be_read_in_json_as_they_are(code: Code, given: Policy) -> None:
    """The body of an error has nothing but ASCII: the rest would be escaped."""
    assert (hint_for(refused(code, "https://a.test"), given) or "").isascii()


def test_a_port_that_hangs_up_may_want_tls_which_is_a_guess() -> None:
    hint = hint_for(refused(Code.UPSTREAM_CLOSED), POLICY)
    assert hint is not None
    assert "only a guess" in hint
    assert "`upstream` should then begin with https://" in hint
    assert hint_for(refused(Code.UPSTREAM_CLOSED, route="/"), WITHOUT_FILE) is None
    in_clear = hint_for(
        refused(Code.UPSTREAM_CLOSED, route="/"), policy_for_url("http://localhost:8443", ())
    )
    assert in_clear is not None
    assert "the URL that corsproxy was started with should then begin with https://" in in_clear
    encrypted = policy(route(upstream=upstream("https://api.test")))
    assert hint_for(refused(Code.UPSTREAM_CLOSED), encrypted) is None


def test_credentials_with_a_wildcard_say_what_to_write() -> None:
    hint = credentials_hint("https://app.test")
    assert 'allow_origins: ["https://app.test"], and allow_credentials: true' in hint
    assert "serve it" in credentials_hint("null")


def test_a_page_of_a_passthrough_route_cannot_read_what_we_say() -> None:
    passing = replace(route(origin="keep"), cors="passthrough")
    through = policy(passing, default=rules("https://b.test"))
    decision = decide(through, request(origin=PAGE))
    assert isinstance(decision, Forward)
    answer = fail(decision, UpstreamError(UpstreamFault.UNREACHABLE, "Nothing is there."))
    assert answer.verdict.browser_error == "MissingAllowOriginHeader"
    assert b"Failed to fetch" in answer.body
    own = decide(through, request(fields=[(b"Sec-Fetch-Site", b"same-origin")], origin=PAGE))
    assert isinstance(own, Forward)
    assert b"Failed" not in fail(own, UpstreamError(UpstreamFault.UNREACHABLE, "")).body
    refusal = decide(through, request(target=b"/a/../b", origin=PAGE))
    assert isinstance(refusal, Answer)
    assert b"Failed to fetch" in refusal.body


@pytest.mark.parametrize("name", ["/etc/x y/corsproxy.yaml", "C:\\me\\x.yaml", "../a/x.yaml"])
def test_a_client_learns_the_name_of_a_file_and_not_where_it_is(name: str) -> None:
    base = name.replace("\\", "/").rpartition("/")[2]
    here = rules("https://b.test")
    there = replace(
        here, origins=OriginSet(list(here.origins), Source(name, 3, 5)), source=Source(name, 2, 1)
    )
    given = policy(replace(route(cors=there), source=Source(name, 1, 1)), default=there)
    answer = decide(given, request(origin=PAGE))
    assert isinstance(answer, Answer)
    [reason] = [value for name, value in answer.head.fields if name == REASON]
    assert f"at={base}:3:5".encode() in reason
    assert name.encode() not in reason + answer.body
    hint = json.loads(answer.body)["hint"]
    assert f"{base}:3:5" in hint
    assert hint.endswith(f"-c {base}")
    assert name in (hint_for(answer.verdict, given) or "")
