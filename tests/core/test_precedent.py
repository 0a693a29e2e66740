"""The short way to a decision: it leads where the long one does."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from corsproxy.core.decision import Decision, Forward, decide
from corsproxy.core.fields import serialize_fields
from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.policy import HeaderRules, Policy
from corsproxy.core.precedent import Precedent
from tests.policies import PAGE, listed, policy, preflight, request, route, rules, upstream

EVERYBODY = rules("*")
POLICIES = {
    "one route": policy(),
    "nested routes": policy(
        route(b"/"),
        route(b"/api", strip_path=True, upstream=upstream("http://b.test", b"/base")),
        route(b"/api/open", EVERYBODY),
        replace(route(b"/own", origin="keep"), cors="passthrough"),
    ),
    "no route for the rest": policy(route(b"/api")),
    "passthrough": policy(replace(route(b"/"), cors="passthrough")),
    "forwarding": policy(default=rules(unlisted_origins="forward", methods=listed("*"))),
    "header rules": policy(
        route(b"/", request_headers=HeaderRules(((b"X-Key", b"k"),), frozenset({b"cookie"})))
    ),
}
ASKS: list[tuple[str, Sequence[Field]]] = [
    ("GET", ()),
    ("GET", ((b"Cookie", b"a=b"), (b"Referer", PAGE.encode() + b"/x"))),
    ("HEAD", ((b"Connection", b"keep-alive"),)),
    ("DELETE", ((b"Content-Length", b"0"),)),
    ("POST", ((b"Content-Length", b"2"),)),
    ("POST", ((b"Transfer-Encoding", b"chunked"),)),
    ("TRACE", ()),
    ("GET", ((b"Expect", b"anything"),)),
    ("GET", ((b"Via", b"1.1 corsproxy"),)),
    ("GET", ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))),
    ("OPTIONS", ()),
    ("OPTIONS", ((b"Max-Forwards", b"0"),)),
    ("OPTIONS", ((b"Access-Control-Request-Method", b"PUT"),)),
    ("OPTIONS", ((b"Access-Control-Request-Method", b"FROB"),)),
    (
        "OPTIONS",
        (
            (b"Access-Control-Request-Method", b"PUT"),
            (b"Access-Control-Request-Headers", b"content-type"),
        ),
    ),
]
TARGETS = [
    b"/",
    b"/a",
    b"/a?b=c",
    b"/api",
    b"/api/x?y",
    b"/api/open/z",
    b"/apix",
    b"/own/x",
    b"/%61pi/open",
    b"//api/x",
    b"/api//open",
    b"/a/../b",
    b"/a/%2e%2e/b",
    b"/%41",
    b"/a\\b",
    b"/a#b",
    b"/\xff",
    b"//a",
    b"*",
    b"http://localhost:8010/a",
    b"http://other.test/a",
    b"a",
    b"/" + b"a" * 9000,
]


def as_tuple(decision: Decision) -> tuple[object, ...]:
    """Everything that a decision says."""
    if not isinstance(decision, Forward):
        head = decision.head
        return (head.status, head.reason, list(head.fields), head.framing, *decision[1:])
    asked, grant, error_grant = decision.request, decision.grant, decision.error_grant
    return (
        decision.policy,
        decision.route,
        (asked.method, asked.target, asked.fields, asked.framing, asked.repeatable, asked.upgrade),
        decision.verdict,
        (decision.received.method, decision.received.target, decision.received.fields),
        grant and (grant.fields, grant.varies, grant.expose_all),
        (error_grant.fields, error_grant.varies, error_grant.expose_all),
        decision.authority,
        decision.secure,
    )


def requests(method: str, fields: Sequence[Field], origin: str | None) -> list[RequestHead]:
    """Requests that differ in their targets alone, in an order that mixes them."""
    draw = random.Random(f"{method}{fields}{origin}")
    head = request(method, b"/", fields, origin=origin)
    targets = draw.choices(TARGETS, k=80)
    return [RequestHead(method, target, head.fields, 1, "127.0.0.1") for target in targets]


@pytest.mark.parametrize("rules", POLICIES.values(), ids=list(POLICIES))
@pytest.mark.parametrize("origin", [None, PAGE, "https://evil.test"])
def test_following_decides_as_deciding_does(rules: Policy, origin: str | None) -> None:
    followed = 0
    for method, fields in ASKS:
        precedent = Precedent()
        for each in requests(method, fields, origin):
            decision, alone = precedent.decide(rules, each), decide(rules, each)
            assert as_tuple(decision) == as_tuple(alone)
            if isinstance(decision, Forward) and decision.request.section is not None:
                followed += 1
                assert decision.request.section == serialize_fields(decision.request.fields)
    assert followed or origin == "https://evil.test"


@pytest.mark.parametrize("host", [b"evil.test", b""])
def test_what_is_refused_is_refused_again(host: bytes) -> None:
    precedent, rules = Precedent(), policy()
    fields = request(host=host).fields
    for target in (b"/a", b"/b", b"/b"):
        each = RequestHead("GET", target, fields, 1, "127.0.0.1")
        assert as_tuple(precedent.decide(rules, each)) == as_tuple(decide(rules, each))


def forwarded(decision: Decision) -> Forward:
    assert isinstance(decision, Forward)
    return decision


def test_what_repeats_is_not_found_out_again() -> None:
    precedent, rules = Precedent(), policy()
    first = request(target=b"/a", origin=PAGE)
    second = RequestHead("GET", b"/b?c", first.fields, 1, "127.0.0.1")
    once = forwarded(precedent.decide(rules, first))
    again = forwarded(precedent.decide(rules, second))
    assert again.request.target == b"/b?c"
    assert again.request.section is not None
    assert again.request.fields is once.request.fields
    assert again.received is second


def test_the_answer_to_a_preflight_is_the_same_one() -> None:
    precedent, rules = Precedent(), policy()
    asking = [(b"Access-Control-Request-Method", b"PUT")]
    first = request("OPTIONS", b"/a", asking, origin=PAGE)
    second = RequestHead("OPTIONS", b"/b", first.fields, 1, "127.0.0.1")
    assert precedent.decide(rules, second) is precedent.decide(rules, first)


@pytest.mark.parametrize("first", [request(origin=PAGE), preflight()])
@pytest.mark.parametrize("change", ["policy", "fields", "method"])
def test_what_is_different_is_decided_by_itself(change: str, first: RequestHead) -> None:
    allowed, precedent = policy(), Precedent()
    precedent.decide(allowed, first)
    closed = policy(default=rules("https://other.test"))
    fields = first.fields[:1] if change == "fields" else first.fields
    method = "DELETE" if change == "method" else first.method
    then = RequestHead(method, b"/", fields, 1, "127.0.0.1")
    under = closed if change == "policy" else allowed
    for _ in range(2):
        assert as_tuple(precedent.decide(under, then)) == as_tuple(decide(under, then))
