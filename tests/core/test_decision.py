"""One exchange: every row of the decision table, and the laws that hold for all of them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.answers import Answer
from corsproxy.core.cors import PREFLIGHT_VARY
from corsproxy.core.decision import Forward, complete, decide, fail
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead
from corsproxy.core.policy import Tls, UpstreamAddress
from corsproxy.core.verdicts import Code, Kind
from corsproxy.errors import UpstreamError, UpstreamFault
from tests.policies import (
    PAGE,
    grants,
    listed,
    policy,
    preflight,
    request,
    response,
    route,
    rules,
    upstream,
    values,
)

ALLOW_ORIGIN = b"Access-Control-Allow-Origin"
WEBSOCKET: list[Field] = [
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]


def answered(decision: object) -> Answer:
    assert isinstance(decision, Answer)
    return decision


def forwarded(decision: object) -> Forward:
    assert isinstance(decision, Forward)
    return decision


def completed(head: object) -> ClientHead:
    assert isinstance(head, ClientHead)
    return head


# Preflights


def test_allowed_preflight_is_answered_here_with_the_lists() -> None:
    answer = answered(decide(policy(), preflight(b"PUT", b"content-type")))
    assert answer.head.status == 204
    assert answer.body == b""
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
    assert b"PUT" in values(answer.head.fields, b"Access-Control-Allow-Methods")[0]
    assert values(answer.head.fields, b"Corsproxy-Reason") == []
    assert answer.verdict.allowed


def test_preflight_of_an_unlisted_origin_is_403_without_any_grant() -> None:
    answer = answered(decide(policy(), preflight(origin="https://evil.example")))
    assert answer.head.status == 403
    assert grants(answer.head.fields) == []
    assert values(answer.head.fields, b"Corsproxy-Reason") == [
        b"origin-not-allowed; at=corsproxy.yaml:3:5"
    ]
    assert values(answer.head.fields, b"Vary") == [PREFLIGHT_VARY[1]]
    assert json.loads(answer.body)["code"] == "origin-not-allowed"
    assert answer.verdict.browser_error == "PreflightMissingAllowOriginHeader"


@pytest.mark.parametrize(
    ("method", "headers", "code", "subject"),
    [
        (b"PURGE", None, Code.METHOD_NOT_ALLOWED, "PURGE"),
        (b"patch", None, Code.METHOD_NOT_ALLOWED, "patch"),
        (b"", None, Code.METHOD_NOT_ALLOWED, ""),
        (b"CONNECT", None, Code.METHOD_NOT_ALLOWED, "CONNECT"),
        (b"PUT", b"x-a", Code.HEADER_NOT_ALLOWED, "x-a"),
        (b"PUT", b"content-type,x-b, x-c", Code.HEADER_NOT_ALLOWED, "x-b, x-c"),
        (b"PUT", b"authorization-x", Code.HEADER_NOT_ALLOWED, "authorization-x"),
        (b"PUT", b"x a", Code.HEADER_NOT_ALLOWED, "x a"),
        (b"PUT", b",".join(b"x-%d" % n for n in range(300)), Code.HEADER_NOT_ALLOWED, ""),
    ],
)
def test_preflight_that_asks_too_much_is_answered_with_the_true_lists(
    method: bytes, headers: bytes | None, code: Code, subject: str
) -> None:
    answer = answered(decide(policy(), preflight(method, headers)))
    assert answer.head.status == 204
    assert answer.verdict.code is code
    assert answer.verdict.subject == subject
    assert not answer.verdict.allowed
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
    assert values(answer.head.fields, b"Access-Control-Max-Age") == []
    assert values(answer.head.fields, b"Corsproxy-Reason")[0].startswith(str(code).encode())


@pytest.mark.parametrize("headers", [b"Content-Type", b" authorization ,,content-type", b""])
def test_requested_headers_compare_without_case_order_or_empty_members(headers: bytes) -> None:
    assert decide(policy(), preflight(b"PUT", headers)).verdict.allowed


def test_any_method_and_header_are_echoed_and_never_a_star() -> None:
    cors = rules(methods=listed("*"), request_headers=listed("*"), credentials=True)
    answer = answered(decide(policy(default=cors), preflight(b"PURGE", b"X-B,authorization")))
    assert values(answer.head.fields, b"Access-Control-Allow-Methods") == [b"PURGE"]
    assert values(answer.head.fields, b"Access-Control-Allow-Headers") == [b"x-b, authorization"]
    assert values(answer.head.fields, b"Access-Control-Allow-Credentials") == [b"true"]


@pytest.mark.parametrize(("max_age", "sent"), [(None, []), (0, [b"0"]), (600, [b"600"])])
def test_max_age_is_sent_only_when_it_is_set(max_age: int | None, sent: list[bytes]) -> None:
    answer = answered(decide(policy(default=rules(max_age=max_age)), preflight()))
    assert values(answer.head.fields, b"Access-Control-Max-Age") == sent


def test_preflight_of_a_path_without_route_gets_the_default_policys_answer() -> None:
    only = policy(route(b"/api"))
    assert decide(only, preflight(target=b"/other")).verdict.allowed
    answer = answered(decide(only, request(target=b"/other", origin=PAGE)))
    assert answer.head.status == 404
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]


@pytest.mark.parametrize(
    "head",
    [
        request("OPTIONS", origin=PAGE),
        request("OPTIONS", fields=[(b"Access-Control-Request-Method", b"PUT")]),
        request("GET", fields=[(b"Access-Control-Request-Method", b"PUT")], origin=PAGE),
    ],
    ids=["no requested method", "no origin", "not OPTIONS"],
)
def test_options_requests_other_than_preflights_are_forwarded(head: RequestHead) -> None:
    forwarded(decide(policy(), head))


# Actual requests


def test_allowed_origin_is_forwarded_and_gets_one_grant_on_every_status() -> None:
    upstreams_own = [
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-allow-origin", b"*"),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Foo", b"1"),
        (b"Content-Length", b"2"),
    ]
    for status in (200, 201, 301, 304, 400, 401, 404, 500, 503):
        forward = forwarded(decide(policy(), request(origin=PAGE)))
        head = completed(complete(forward, response(status, upstreams_own)))
        assert head.status == status
        assert grants(head.fields) == [ALLOW_ORIGIN]
        assert values(head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
        assert values(head.fields, b"Vary") == [b"Origin"]


def test_unlisted_origin_is_403_and_never_forwarded() -> None:
    answer = answered(decide(policy(), request("POST", origin="https://evil.example")))
    assert answer.head.status == 403
    assert grants(answer.head.fields) == []
    assert values(answer.head.fields, b"Vary") == [b"Origin"]
    assert answer.verdict.browser_error == "MissingAllowOriginHeader"


def test_unlisted_origin_is_forwarded_bare_and_unrewritten_where_the_policy_says_so() -> None:
    cors = rules(unlisted_origins="forward")
    forward = forwarded(decide(policy(default=cors), request(origin="https://evil.example")))
    assert values(forward.request.fields, b"Origin") == [b"https://evil.example"]
    head = completed(complete(forward, response(fields=[(ALLOW_ORIGIN, b"*")])))
    assert grants(head.fields) == []
    assert values(head.fields, b"Vary") == [b"Origin"]
    assert not forward.verdict.allowed
    failure = fail(forward, UpstreamError(UpstreamFault.UNREACHABLE, "nobody is there"))
    assert grants(failure.head.fields) == []
    assert failure.verdict.browser_error == "MissingAllowOriginHeader"


def test_request_without_origin_is_forwarded_without_grant_but_varies() -> None:
    forward = forwarded(decide(policy(), request()))
    head = completed(complete(forward, response()))
    assert grants(head.fields) == []
    assert values(head.fields, b"Vary") == [b"Origin"]
    assert forward.verdict.kind is Kind.NO_ORIGIN


def test_star_policy_grants_star_to_everybody_and_does_not_vary() -> None:
    for origin in (None, "https://anything.example", "null", b"\xff junk"):
        forward = forwarded(decide(policy(default=rules("*")), request(origin=origin)))
        head = completed(complete(forward, response()))
        assert values(head.fields, ALLOW_ORIGIN) == [b"*"]
        assert values(head.fields, b"Vary") == []


@pytest.mark.parametrize(
    ("origin", "host", "fields"),
    [
        ("http://localhost:8010", b"localhost:8010", []),
        ("https://127.0.0.1", b"127.0.0.1:443", []),
        ("http://[::1]:8010", b"[::1]:8010", []),
        ("https://x.test", b"localhost:8010", [(b"Sec-Fetch-Site", b"same-origin")]),
    ],
)
def test_same_origin_request_is_forwarded_without_grant(
    origin: str, host: bytes, fields: list[Field]
) -> None:
    forward = forwarded(decide(policy(), request("POST", b"/", fields, origin=origin, host=host)))
    assert forward.verdict.kind is Kind.SAME_ORIGIN
    assert grants(completed(complete(forward, response())).fields) == []


def test_two_origin_lines_are_refused() -> None:
    head = request(fields=[(b"Origin", PAGE.encode())], origin=PAGE)
    answer = answered(decide(policy(), head))
    assert answer.head.status == 403
    assert grants(answer.head.fields) == []


def test_an_empty_origin_counts_as_absent() -> None:
    assert forwarded(decide(policy(), request(origin=b""))).verdict.kind is Kind.NO_ORIGIN


def test_vary_of_the_upstream_is_merged_once() -> None:
    for before, after in [
        ([b"Accept-Encoding"], [b"Accept-Encoding, Origin"]),
        ([b"accept, ORIGIN"], [b"accept, ORIGIN"]),
        ([b"*"], [b"*"]),
        ([b"A", b"B"], [b"A, B, Origin"]),
    ]:
        forward = forwarded(decide(policy(), request(origin=PAGE)))
        fields = [(b"Vary", value) for value in before]
        head = completed(complete(forward, response(fields=fields)))
        assert values(head.fields, b"Vary") == after


def test_expose_all_names_what_the_response_carries() -> None:
    cors = rules(expose_headers=listed("*"), credentials=True)
    forward = forwarded(decide(policy(default=cors), request(origin=PAGE)))
    fields = [(b"ETag", b"x"), (b"Set-Cookie", b"a=b"), (b"Content-Type", b"t"), (b"X-A", b"1")]
    head = completed(complete(forward, response(fields=fields)))
    assert values(head.fields, b"Access-Control-Expose-Headers") == [b"etag, x-a, vary, date"]


def test_passthrough_leaves_the_upstreams_cors_alone_and_sends_it_the_preflight() -> None:
    through = policy(replace(route(origin="keep"), cors="passthrough"))
    forward = forwarded(decide(through, preflight(origin="https://any.example")))
    assert values(forward.request.fields, b"Origin") == [b"https://any.example"]
    fields = [(ALLOW_ORIGIN, b"https://any.example"), (b"Vary", b"X")]
    head = completed(complete(forward, response(fields=fields)))
    assert values(head.fields, ALLOW_ORIGIN) == [b"https://any.example"]
    assert values(head.fields, b"Vary") == [b"X"]


# Handshakes


@pytest.mark.parametrize("origin", [PAGE, None, "http://localhost:8010"])
def test_handshake_of_an_allowed_same_or_absent_origin_is_a_tunnel(origin: str | None) -> None:
    tunnel = forwarded(decide(policy(), request(fields=WEBSOCKET, origin=origin)))
    assert tunnel.request.upgrade
    assert values(tunnel.request.fields, b"Upgrade") == [b"websocket"]
    switched = response(101, [(b"Upgrade", b"websocket"), (ALLOW_ORIGIN, b"*")], Framing.NONE)
    head = completed(complete(tunnel, switched))
    assert grants(head.fields) == []
    assert values(head.fields, b"Connection") == [b"Upgrade"]


@pytest.mark.parametrize("unlisted", ["block", "forward"])
def test_handshake_of_an_unlisted_origin_is_403_whatever_the_policy_forwards(unlisted: str) -> None:
    cors = rules(unlisted_origins=unlisted)
    decision = decide(policy(default=cors), request(fields=WEBSOCKET, origin="https://evil.test"))
    assert answered(decision).head.status == 403
    assert decision.verdict.kind is Kind.WEBSOCKET


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c")],
        [(b"Upgrade", b"websocket")],
        [*WEBSOCKET, (b"Content-Length", b"5")],
    ],
    ids=["h2c", "not named in Connection", "with content"],
)
def test_other_upgrades_are_ignored(fields: list[Field]) -> None:
    decision = decide(policy(), request(fields=fields))
    assert type(decision) is Forward
    assert values(decision.request.fields, b"Upgrade") == []
    assert values(decision.request.fields, b"Connection") == []


# OPTIONS


@pytest.mark.parametrize(
    ("asked", "chosen", "is_switched"),
    [
        (b"websocket", b"websocket", True),
        (b"websocket", b"WebSocket", True),
        (b"echo, websocket", b"websocket", True),
        (b"echo", b"echo/2", True),
        (b"echo/1", b"echo/1", True),
        (b"echo/1", b"echo/2", False),
        (b"websocket", b"h2c", False),
        (b"websocket", b"websocket, h2c", False),
        (b"websocket", b"websocketx", False),
        (b"websocket", b"", False),
    ],
)
def test_a_101_switches_to_what_was_asked_for(
    asked: bytes, chosen: bytes, is_switched: bool
) -> None:
    fields = [(b"Connection", b"Upgrade"), (b"Upgrade", asked)]
    forward = forwarded(decide(policy(), request(fields=fields)))
    answer = complete(forward, response(101, [(b"Upgrade", chosen)], Framing.NONE))
    assert isinstance(answer, ClientHead) is is_switched
    if not is_switched:
        assert answered(answer).verdict.code is Code.UPSTREAM_MALFORMED


def test_a_426_says_which_protocol_it_insists_on() -> None:
    fields = [(b"Upgrade", b"websocket"), (b"Connection", b"upgrade"), (b"Content-Length", b"0")]
    head = completed(complete(forwarded(decide(policy(), request())), response(426, fields)))
    assert (b"Upgrade", b"websocket") in head.fields
    assert (b"Connection", b"Upgrade") in head.fields


def test_no_other_status_keeps_upgrade() -> None:
    fields = [(b"Upgrade", b"h2c"), (b"Connection", b"upgrade"), (b"Content-Length", b"0")]
    head = completed(complete(forwarded(decide(policy(), request())), response(200, fields)))
    assert not {b"upgrade", b"connection"} & {name.lower() for name, _ in head.fields}


def test_options_star_is_answered_here() -> None:
    answer = answered(decide(policy(), request("OPTIONS", b"*")))
    assert answer.head.status == 204
    assert values(answer.head.fields, b"Allow")


def test_options_star_is_answered_here_even_where_the_upstream_answers_cors() -> None:
    """Behind the upstream's base it would name another path: /v2*."""
    based = route(upstream=upstream(base=b"/v2"))
    through = policy(replace(based, cors="passthrough"))
    assert answered(decide(through, preflight(target=b"*"))).head.status == 204


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_only_options_may_have_a_star_as_its_target(method: str) -> None:
    assert answered(decide(policy(), request(method, b"*"))).verdict.code is Code.BAD_TARGET


def test_max_forwards_ends_here_or_counts_down() -> None:
    last = request("OPTIONS", fields=[(b"Max-Forwards", b"0")])
    assert answered(decide(policy(), last)).head.status == 204
    more = request("OPTIONS", fields=[(b"Max-Forwards", b"7")])
    assert values(forwarded(decide(policy(), more)).request.fields, b"Max-Forwards") == [b"6"]


# Failures


@pytest.mark.parametrize("fault", list(UpstreamFault))
def test_upstream_failure_is_readable_by_the_page(fault: UpstreamFault) -> None:
    forward = forwarded(decide(policy(), request(origin=PAGE)))
    answer = fail(forward, UpstreamError(fault, "It is not there."))
    assert answer.head.status in (502, 503, 504)
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
    problem = json.loads(answer.body)
    assert (problem["code"], problem["detail"]) == (str(fault), "It is not there.")


def test_clients_are_told_of_files_without_their_directories() -> None:
    tls = Tls(ca_file="/etc/secret/ca.pem", key_file="/etc/secret/key.pem")
    for file, shown in (("/run/secret/api.sock", "api.sock"), ("/etc/secret/key.pem", "key.pem")):
        socket = UpstreamAddress("http", "", 0, socket_path="/run/secret/api.sock")
        routes = policy(route(upstream=socket, tls=tls))
        forward = forwarded(decide(routes, request(origin=PAGE)))
        answer = fail(forward, UpstreamError(UpstreamFault.UNREACHABLE, f"unix:{file}: gone"))
        assert json.loads(answer.body)["detail"] == f"unix:{shown}: gone"
        assert answer.detail == f"unix:{file}: gone"


def test_proxy_authentication_never_reaches_the_browser() -> None:
    forward = forwarded(decide(policy(), request(origin=PAGE)))
    assert answered(complete(forward, response(407))).head.status == 502


def test_unasked_switch_of_protocols_is_a_502() -> None:
    forward = forwarded(decide(policy(), request(origin=PAGE)))
    assert answered(complete(forward, response(101, [], Framing.NONE))).head.status == 502


def test_answer_to_head_has_no_body_but_its_length() -> None:
    answer = answered(decide(policy(), request("HEAD", origin="https://evil.example")))
    assert answer.body == b""
    assert answer.head.framing is Framing.NONE
    assert int(values(answer.head.fields, b"Content-Length")[0]) > 0


_NAMES = st.sampled_from(
    b"Host Origin Connection Upgrade Expect Via Content-Length Transfer-Encoding Referer"
    b" Sec-Fetch-Site X-Forwarded-For X_Forwarded_For Max-Forwards"
    b" Access-Control-Request-Method Access-Control-Request-Headers X-Any".split()
)


@given(
    method=st.sampled_from(["GET", "OPTIONS", "POST", "TRACE", "HEAD", "PUT"]),
    target=st.binary(max_size=40),
    fields=st.lists(st.tuples(_NAMES, st.binary(max_size=40)), max_size=12),
    minor=st.integers(0, 1),
)
def test_decide_never_raises_and_never_grants_an_unlisted_origin(
    method: str, target: bytes, fields: list[Field], minor: int
) -> None:
    decision = decide(policy(), RequestHead(method, target, fields, minor_version=minor))
    named = [value for name, value in fields if name == b"Origin"]
    if named != [PAGE.encode()]:
        sent = decision.head.fields if isinstance(decision, Answer) else decision.grant.fields  # type: ignore[union-attr] # no passthrough here
        assert grants(list(sent)) == []
