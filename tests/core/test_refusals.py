"""Every refusal: its status, its code, and the grant that lets the page read it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, decide
from corsproxy.core.messages import RequestHead
from corsproxy.core.refusals import refuse, refuse_unread
from corsproxy.core.verdicts import Code
from tests.policies import PAGE, grants, policy, request, request_with, values

ALLOW_ORIGIN = b"Access-Control-Allow-Origin"


def answered(decision: object) -> Answer:
    assert isinstance(decision, Answer)
    return decision


def assert_forwarded(decision: object) -> None:
    assert isinstance(decision, Forward)


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (request("CONNECT", b"evil.test:443"), 405, Code.METHOD_REFUSED),
        (request("TRACE"), 405, Code.METHOD_REFUSED),
        (request(host=None), 400, Code.BAD_REQUEST),
        (request(fields=[(b"host", b"localhost")]), 400, Code.BAD_REQUEST),
        (request(host=b"a b"), 400, Code.BAD_REQUEST),
        (request(host=b"evil.example"), 421, Code.HOST_NOT_ALLOWED),
        (request(host=b"0.0.0.0:8010"), 421, Code.HOST_NOT_ALLOWED),
        (request(host=b"[::]"), 421, Code.HOST_NOT_ALLOWED),
        (request(host=b"localhost.evil.example"), 421, Code.HOST_NOT_ALLOWED),
        (request(target=b"/a/../b"), 400, Code.BAD_TARGET),
        (request(target=b"/a/%2e%2E/b"), 400, Code.BAD_TARGET),
        (request(target=b"/a/..%2fb"), 400, Code.BAD_TARGET),
        (request(target=b"/a/..\\b"), 400, Code.BAD_TARGET),
        (request(target=b"/a/."), 400, Code.BAD_TARGET),
        (request(target=b"/a#b"), 400, Code.BAD_TARGET),
        (request(target=b"evil"), 400, Code.BAD_TARGET),
        (request(target=b"ftp://localhost:8010/x"), 400, Code.BAD_TARGET),
        (request(target=b"http://evil.test/x"), 400, Code.BAD_TARGET),
        (request(target=b"http://u@localhost:8010/x"), 400, Code.BAD_TARGET),
        (request("POST", fields=[(b"Content-Length", b"+5")]), 400, Code.BAD_FRAMING),
        (request("POST", fields=[(b"Content-Length", b"5, 5")]), 400, Code.BAD_FRAMING),
        (
            request("POST", fields=[(b"Content-Length", b"5"), (b"Content-Length", b"5")]),
            400,
            Code.BAD_FRAMING,
        ),
        (
            request("POST", fields=[(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]),
            400,
            Code.BAD_FRAMING,
        ),
        (request("POST", fields=[(b"Transfer-Encoding", b",chunked")]), 400, Code.BAD_FRAMING),
        (
            request("POST", fields=[(b"Transfer-Encoding", b"gzip, chunked")]),
            501,
            Code.TRANSFER_CODING,
        ),
        (
            request("POST", fields=[(b"Transfer-Encoding", b"chunked")], minor_version=0),
            400,
            Code.BAD_FRAMING,
        ),
        (request(fields=[(b"Expect", b"200-ok")]), 417, Code.EXPECTATION_FAILED),
        (request(fields=[(b"Via", b"1.1 corsproxy")]), 508, Code.LOOP),
        (request(target=b"/" + b"a" * 9000), 414, Code.TARGET_TOO_LONG),
        (request(fields=[(b"X", b"a" * 40_000)]), 431, Code.FIELDS_TOO_LARGE),
        (request(fields=[(b"X%d" % n, b"1") for n in range(128)]), 431, Code.FIELDS_TOO_LARGE),
        (request(fields=[(b"X", b"a" * 30_000)] * 3), 431, Code.FIELDS_TOO_LARGE),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Code) else None,
)
def test_guard_refuses_with_the_grant(head: RequestHead, status: int, code: Code) -> None:
    head = request_with(head, [*head.fields, (b"Origin", PAGE.encode())])
    answer = answered(decide(policy(), head))
    assert (answer.head.status, answer.verdict.code) == (status, code)
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["code"] == str(code)
    assert problem["detail"]


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LOCALHOST:1", b"app.localhost:8010", b"127.0.0.1", b"192.168.1.5", b"[::1]:8"],
)
def test_local_names_and_addresses_are_always_allowed_hosts(host: bytes) -> None:
    assert_forwarded(decide(policy(), request(host=host)))


def test_refused_host_names_the_key_and_the_value_to_add() -> None:
    answer = answered(decide(policy(), request(host=b"shop.test:8010")))
    problem = json.loads(answer.body)
    assert "allowed_hosts" in problem["hint"]
    assert "shop.test" in problem["hint"]
    assert_forwarded(
        decide(policy(allowed_hosts=frozenset({"shop.test"})), request(host=b"Shop.test:1"))
    )
    assert_forwarded(decide(policy(any_host=True), request(host=b"evil.example")))


def test_refusals_of_the_listener_carry_the_grant() -> None:
    answer = refuse(policy(), request(origin=PAGE), Code.DRAINING)
    assert answer.head.status == 503
    assert answer.close
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"GET /x HTTP/1.1\r\nHost: a\r\nOrigin: %s\r\nX: " + b"a" * 33_000, 431),
        (b"GET /%s HTTP/1.1\r\nOrigin: %%s\r\n\r\n" % (b"a" * 9000), 414),
        (b"CHICKEN / HTTP/1.1\r\nOrigin: %s\r\n\r\n", 501),
        (b"patch / HTTP/1.1\r\norigin:%s\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nOrigin: %s\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost : a\r\nOrigin: %s\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\nOrigin: %s\r\n\r\n", 400),
        (b"\x16\x03\x01\r\nOrigin: %s\r\n\r\n", 400),
    ],
)
def test_bytes_that_are_no_request_are_answered_with_the_grant(
    received: bytes, status: int
) -> None:
    answer = refuse_unread(policy(), received.replace(b"%s", PAGE.encode()))
    assert answer.head.status == status
    assert answer.close
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]


def test_a_head_that_never_ended_is_answered_with_the_grant_too() -> None:
    received = b"GET /x HTTP/1.1\r\nOrigin: %b\r\nX: " % PAGE.encode()
    answer = refuse_unread(policy(), received, Code.HEAD_TIMEOUT)
    assert answer.head.status == 408
    assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]


@pytest.mark.parametrize("other", [b"http://a.test", b"http://a.test\rb", b"", b"\0"])
def test_two_origin_lines_of_a_refused_head_are_no_origin(other: bytes) -> None:
    received = b"GET / HTTP/1.1\r\nOrigin: %b\r\nOrigin: %b\r\nno field\r\n\r\n"
    for pair in ((other, PAGE.encode()), (PAGE.encode(), other)):
        assert grants(refuse_unread(policy(), received % pair).head.fields) == []


@pytest.mark.parametrize(
    "value",
    [b"x" + b" " * 60_000 + b"y", b" " * 60_000 + b"\rx", b" \t" * 30_000, b"x" * 60_000 + b"\rx"],
)
def test_no_origin_line_takes_more_than_one_look(value: bytes) -> None:
    received = b"GET / HTTP/1.1\r\nOrigin: %b\r\nno field\r\n\r\n" % value
    started = time.process_time()
    assert grants(refuse_unread(policy(), received).head.fields) == []
    assert time.process_time() - started < 0.5


ORIGIN_LINE = b"Origin:%b" % PAGE.encode()
PIECES = st.binary(max_size=100) | st.sampled_from([ORIGIN_LINE, b"\n", b"\r\n"])


@given(st.lists(PIECES, max_size=5).map(b"".join))
def test_only_bytes_with_the_origin_line_of_an_allowed_page_are_granted(received: bytes) -> None:
    answer = refuse_unread(policy(), received)
    assert answer.head.status in (400, 414, 431, 501, 505)
    if grants(answer.head.fields):
        assert values(answer.head.fields, ALLOW_ORIGIN) == [PAGE.encode()]
        lines = received.lower().translate(None, b" \t").split(b"\n")
        assert any(line.startswith(ORIGIN_LINE.lower()) for line in lines)
