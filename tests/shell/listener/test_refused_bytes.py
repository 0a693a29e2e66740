"""Answers to bytes that are no request."""

from corsproxy.core.verdicts import Code
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.listener.refused_bytes import answer_bytes
from corsproxy.shell.listener.service import Service
from tests.fakes import FakeUpstream
from tests.policies import PAGE, policy

HEAD = f"GET /x HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\nno colon\r\n\r\n".encode()


class Records(list[ExchangeRecord]):
    """A journal that keeps them."""

    exchange = list.append


def test_they_carry_a_grant_and_are_on_record() -> None:
    journal = Records()
    service = Service(policy(), FakeUpstream(), journal)
    answer = answer_bytes(service, HEAD, "192.0.2.1", duration=2.0)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"\r\nAccess-Control-Allow-Origin: {PAGE}\r\n".encode() in answer
    assert b"\r\nConnection: close\r\n" in answer
    (record,) = journal
    assert (record.verdict.code, record.peer) == (Code.BAD_REQUEST, "192.0.2.1")
    assert (record.status, record.sent, record.duration_s) == (400, len(answer), 2.0)


def test_they_say_what_is_wrong_if_that_is_known() -> None:
    service = Service(policy(), FakeUpstream(), None)
    assert answer_bytes(service, HEAD, "", Code.HEAD_TIMEOUT).startswith(b"HTTP/1.1 408 ")
    assert b'"detail": "too late"' in answer_bytes(service, HEAD, "", Code.BAD_REQUEST, "too late")
