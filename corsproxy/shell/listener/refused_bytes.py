"""Answers to bytes that are no request: with the grant that the page needs to read them, and with
a record, like those of exchanges."""

import logging
import time

from corsproxy.core.answers import Answer
from corsproxy.core.messages import RequestHead
from corsproxy.core.refusals import as_far_as_read, refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.http1.writer import BARE_FAULT, head_bytes
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.listener.service import Service

logger = logging.getLogger("corsproxy")


def answer_bytes(
    service: Service,
    received: bytes,
    client: str,
    code: Code | None = None,
    detail: str = "",
    *,
    duration: float = 0.0,
) -> bytes:
    """Return the answer to `received`, head and content; the connection ends behind it. It is on
    record as an exchange that took `duration` seconds.

    `code` and `detail` say what is wrong, or else the bytes do. Never raises.
    """
    try:
        answer = refuse_unread(service.policy, received, code, detail)
        data = head_bytes(answer.head, 1, keep_alive=False, content=answer.body)
    except Exception:
        logger.exception("fault in an answer")
        return BARE_FAULT
    if service.wants_records:
        _record(service, received, client, answer, len(data), duration)
    return data


def _record(
    service: Service, received: bytes, client: str, answer: Answer, sent: int, duration: float
) -> None:
    record = ExchangeRecord(
        # Without method, target and fields: it was no request.
        RequestHead("", b"", (), client=client),
        service.policy,
        answer.verdict,
        answer.head.status,
        started=time.time() - duration,
        duration_s=duration,
        sent=sent,
        detail=answer.detail or None,
        response=answer.head,
    )
    if service.journal is not None:
        service.journal.exchange(record)
    if service.observer is not None:
        _show(service.observer, as_far_as_read(received, client), answer, record)


def _show(observer: Observer, request: RequestHead, answer: Answer, record: ExchangeRecord) -> None:
    """Have an observer see what was no request, from its beginning to its end."""
    began = time.perf_counter() - record.duration_s
    watch = observer.begins(request, record.policy, answer, began)
    if watch is not None:
        watch.response_begins(answer.head, answer.body, None, 0.0)
        watch.over(record)
