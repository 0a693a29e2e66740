"""The log of exchanges, for people and for programs."""

import json
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.decision import decide
from corsproxy.core.messages import RequestHead
from corsproxy.core.outcome.outcome import Outcome, Word
from corsproxy.core.policy import LogRequests
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.admin.figures import Count, Figures
from corsproxy.shell.feed.journal import JsonLines, LineJournal
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.text_lines import TextLines
from tests import records
from tests.policies import policy, route, upstream

ORIGIN = b"http://localhost:5173"
ALLOWED = Verdict(Kind.ACTUAL, Code.ORIGIN_ALLOWED, True, "shop", Source("corsproxy.yaml", 4, 7))
REFUSED = Verdict(
    Kind.PREFLIGHT,
    Code.METHOD_NOT_ALLOWED,
    False,
    "shop",
    Source("corsproxy.yaml", 6, 18),
    "PATCH",
)
FORWARD = decide(
    policy(route(b"/", upstream=upstream("https://api.example.com", b"/v1"))),
    RequestHead("GET", b"/users?token=hunter2", [(b"Host", b"localhost:8010")]),
)


def record(**changes: Any) -> ExchangeRecord:
    normal = {
        "started": 1763683262.25,
        "duration_s": 0.0341,
        "target": b"/v1/users",
        "fields": [(b"Host", b"localhost:8010"), (b"Origin", ORIGIN)],
        "verdict": ALLOWED,
        "sent": 512,
        "upstream_s": 0.03,
        "forward": FORWARD,
    }
    return records.record(**{**normal, **changes})


def preflight(**changes: Any) -> ExchangeRecord:
    fields = [(b"Origin", ORIGIN), (b"Access-Control-Request-Method", b"PATCH")]
    outcome = Outcome(Word.BLOCKED, "MethodDisallowedByPreflightResponse")
    about = {"verdict": REFUSED, "outcome": outcome, "fields": fields}
    changes = {**about, "upstream_s": None, "forward": None, **changes}
    return record(method="OPTIONS", status=204, **changes)


def parsed(exchange: ExchangeRecord) -> dict[str, Any]:
    line = JsonLines().exchange(exchange)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    result: dict[str, Any] = json.loads(line)
    return result


def test_every_json_name_of_an_exchange() -> None:
    fields = [
        (b"Origin", ORIGIN),
        (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        (b"Host", b"localhost:8010"),
        (b"User-Agent", b"Mozilla/5.0"),
        (b"X-Request-ID", b"r-1"),
    ]
    detail = "the upstream sent nothing for 300 s"
    found = parsed(record(fields=fields, received=10, error="upstream-idle-timeout", detail=detail))
    assert found == {
        "ts": "2025-11-21T00:01:02.250Z",
        "level": "info",
        "event": "request",
        "method": "GET",
        "path": "/v1/users",
        "status": 200,
        "duration_ms": 34.1,
        "client": "127.0.0.1",
        "host": "localhost:8010",
        "user_agent": "Mozilla/5.0",
        "request_id": "r-1",
        "origin": "http://localhost:5173",
        "upstream_url": "https://api.example.com/v1/users?token=***",
        "route": "shop",
        "kind": "actual",
        "decision": "allowed",
        "code": "origin-allowed",
        "at": "corsproxy.yaml:4:7",
        "upstream_ms": 30.0,
        "bytes_in": 10,
        "bytes_out": 512,
        "error": "upstream-idle-timeout",
        "detail": detail,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def test_a_refusal_in_json_has_the_browsers_name_for_it() -> None:
    found = parsed(preflight())
    assert found["decision"] == "refused"
    assert found["level"] == "warning"
    assert found["code"] == "method-not-allowed"
    assert found["browser_error"] == "MethodDisallowedByPreflightResponse"
    assert "upstream_ms" not in found
    assert "error" not in found


def test_the_outcome_is_logged() -> None:
    assert "outcome" not in parsed(record())
    blocked = Outcome(Word.BLOCKED, "InvalidAllowCredentials")
    found = parsed(record(outcome=blocked))
    assert (found["outcome"], found["browser_error"]) == ("blocked", "InvalidAllowCredentials")
    assert found["level"] == "warning"
    away = Outcome(Word.LEAVES, location=b"https://sso.example.com/?state=hunter2&to=%2F")
    found = parsed(record(outcome=away, status=302))
    assert found["outcome"] == "leaves"
    assert found["location"] == "https://sso.example.com/?state=***&to=%2F"
    assert "browser_error" not in found


def test_what_a_preflight_asked_for_is_in_its_line() -> None:
    fields = [
        (b"Origin", ORIGIN),
        (b"Access-Control-Request-Method", b"PATCH"),
        (b"Access-Control-Request-Headers", b"x-b,x-a,, x-c"),
    ]
    found = parsed(preflight(fields=fields))
    assert (found["asked_method"], found["asked_headers"]) == ("PATCH", ["x-b", "x-a", "x-c"])
    assert "upstream_url" not in found


def test_a_failure_is_an_error() -> None:
    verdict = ALLOWED.replace(code=Code.UPSTREAM_UNREACHABLE)
    assert parsed(record(verdict=verdict, status=502))["level"] == "error"


def test_behind_a_trusted_proxy_the_client_is_the_browser() -> None:
    behind = policy(trusted_proxies=(ip_network("10.0.0.0/8"),))
    fields = [(b"X-Forwarded-For", b"192.0.2.66, 203.0.113.7, 10.0.0.9")]
    found = parsed(record(policy=behind, client="10.0.0.1", fields=fields))
    assert (found["client"], found["peer"]) == ("203.0.113.7", "10.0.0.1")
    assert "peer" not in parsed(record(policy=behind, client="192.0.2.1", fields=fields))


def test_malformed_requests_are_logged_too() -> None:
    verdict = Verdict(Kind.UNREADABLE, Code.BAD_REQUEST, False)
    nothing = record(method="", target=b"", fields=(), verdict=verdict, status=400)
    found = parsed(nothing)
    assert (found["method"], found["path"], found["code"]) == ("", "", "bad-request")
    assert "origin" not in found


@pytest.mark.parametrize("traceparent", [b"", b"junk", b"00-XYZ-1-1", b"\x1b[0m"])
def test_a_malformed_trace_is_left_out(traceparent: bytes) -> None:
    assert "trace_id" not in parsed(record(fields=[(b"traceparent", traceparent)]))


def test_credentials_are_in_no_line() -> None:
    exchange = record(
        target=b"/v1/users?access_token=hunter2",
        fields=[
            (b"Origin", ORIGIN),
            (b"Cookie", b"session=hunter2"),
            (b"Authorization", b"Bearer hunter2"),
        ],
    )
    assert "hunter2" not in JsonLines().exchange(exchange)
    assert "hunter2" not in TextLines(lambda _: [], color=False).exchange(exchange)
    assert parsed(exchange)["path"] == "/v1/users?access_token=***"


@given(
    target=st.binary(max_size=60),
    origin=st.binary(max_size=60),
    method=st.text(max_size=10),
    subject=st.text(max_size=20),
)
def test_no_exchange_can_control_the_terminal_or_break_a_line(
    target: bytes, origin: bytes, method: str, subject: str
) -> None:
    verdict = REFUSED.replace(subject=subject)
    fields = [(b"Origin", origin), (b"Access-Control-Request-Method", origin)]
    exchange = record(target=target, method=method, fields=fields, verdict=verdict)
    words = TextLines(lambda _: [], color=False).exchange(exchange).splitlines()
    for line in (JsonLines().exchange(exchange), *words):
        assert line.removesuffix("\n").isprintable()
    json.loads(JsonLines().exchange(exchange))


@pytest.mark.parametrize(
    ("requests", "written"),
    [("all", ["GET", "OPTIONS"]), ("denied", ["OPTIONS"]), ("none", [])],
)
def test_log_requests_chooses_what_is_written(requests: LogRequests, written: list[str]) -> None:
    lines: list[str] = []
    journal = LineJournal(lines.append, JsonLines(), requests, Figures())
    journal.exchange(record())
    journal.exchange(preflight())
    assert [json.loads(line)["method"] for line in lines] == written


def test_unwritten_exchanges_are_counted() -> None:
    figures = Figures()
    LineJournal(lambda line: None, JsonLines(), "none", figures).exchange(preflight())
    assert figures.counts(Count.PREFLIGHTS) == {("shop", "refused", "method-not-allowed"): 1}


def test_quiet_leaves_out_successes() -> None:
    lines: list[str] = []
    journal = LineJournal(lines.append, JsonLines(), "all", Figures())
    journal.quiet = True
    blocked = Outcome(Word.BLOCKED, "InvalidAllowCredentials")
    down = ALLOWED.replace(code=Code.UPSTREAM_UNREACHABLE)
    for each in (
        record(),
        record(status=404),
        record(outcome=blocked),
        preflight(),
        record(verdict=down, status=502),
        record(detail="cut"),
    ):
        journal.exchange(each)
    assert len(lines) == 4
