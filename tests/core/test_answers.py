"""Our own answers: readable by people, scripts and DevTools."""

import json

from corsproxy.core.answers import problem, reason_phrase
from corsproxy.core.cors import Grant
from corsproxy.core.messages import Framing
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import values

VERDICT = Verdict(Kind.ACTUAL, Code.NO_ROUTE, False, None, Source("corsproxy.yaml", 1, 2))


def test_problem_has_the_members_of_problem_details_and_the_code() -> None:
    answer = problem(VERDICT, Grant((), True), "No route takes /x.", "Add one.")
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "No route takes this path",
        "status": 404,
        "detail": "No route takes /x.",
        "code": "no-route",
        "hint": "Add one.",
    }
    assert answer.head.reason == b"Not Found"
    assert values(answer.head.fields, b"Content-Type") == [b"application/problem+json"]
    assert values(answer.head.fields, b"Content-Length") == [b"%d" % len(answer.body)]
    assert values(answer.head.fields, b"Corsproxy-Reason") == [b"no-route; at=corsproxy.yaml:1:2"]
    assert values(answer.head.fields, b"Vary") == [b"Origin"]


def test_problem_is_indented_for_people() -> None:
    body = problem(VERDICT, Grant((), True), 'No "route" takes /\x7f.', "Add\none.").body
    assert body == json.dumps(json.loads(body), indent=2).encode() + b"\n"


def test_a_problem_without_a_hint_omits_it_and_is_ascii() -> None:
    answer = problem(VERDICT, Grant((), False), "caf\u00e9 \u202e")
    assert "hint" not in json.loads(answer.body)
    assert answer.body.isascii()


def test_head_request_gets_the_length_without_the_body() -> None:
    answer = problem(VERDICT, Grant((), True), "x", head_only=True)
    assert answer.body == b""
    assert answer.head.framing is Framing.NONE


def test_reason_phrases() -> None:
    assert reason_phrase(421) == b"Misdirected Request"
    assert reason_phrase(599) == b""
