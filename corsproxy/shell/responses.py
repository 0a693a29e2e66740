"""Responses as bytes: the head in one piece, the content as its framing wants it.

The core's heads are complete but for two fields that depend on this end of the
connection and on the clock: `Connection` and `Date` are added here.
"""

import time
from email.utils import formatdate
from functools import lru_cache

from corsproxy.core.fields import serialize_head
from corsproxy.core.messages import ClientHead, Fields

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_CLOSE = (b"Connection", b"close")
_KEEP_ALIVE = (b"Connection", b"keep-alive")


def head_bytes(head: ClientHead, minor_version: int, *, keep_alive: bool) -> bytes:
    """Return `head` as it goes to a client of HTTP/1.`minor_version`.

    `Date` is added where the upstream sent none (RFC 9110, 6.6.1). Persistence is said
    where it is not the version's default (RFC 9112, 9.3).
    """
    fields = [*head.fields]
    if not _has_date(fields):
        fields.append((b"Date", http_date()))
    if keep_alive:
        if minor_version == 0:
            fields.append(_KEEP_ALIVE)
    elif head.status != 101:
        fields.append(_CLOSE)
    return serialize_head(_status_line(head.status, head.reason), fields)


def chunk(data: bytes) -> bytes:
    """Return `data`, which is not empty, as one chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(maxsize=256)
def _status_line(status: int, reason: bytes) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, reason)


def _has_date(fields: Fields) -> bool:
    return any(len(name) == 4 and name.lower() == b"date" for name, _ in fields)


def http_date() -> bytes:
    """Return the time as the Date field has it (RFC 9110, 5.6.7)."""
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode("ascii")
