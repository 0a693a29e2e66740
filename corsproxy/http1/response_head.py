"""Response heads as bytes, in one piece with the content that is already there.

`Connection` and `Date` are added here, because they depend on the client's connection and on
the clock, which the core does not know.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from corsproxy.core.messages import ClientHead
from corsproxy.http1.field_lines import serialize_fields

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
BARE_FAULT: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
"""The answer when even making an answer has failed. It has no grant."""

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CLOSE: Final = b"Connection: close\r\n"
_KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"


def head_bytes(
    head: ClientHead, minor_version: int, *, keep_alive: bool, content: bytes = b""
) -> bytes:
    """Return `head` as sent to a client of HTTP/1.`minor_version`, followed by `content`.

    `Date` is added if the upstream sent none (RFC 9110, 6.6.1), and `Connection` if
    persistence differs from the version's default (RFC 9112, 9.3).
    """
    added = b"" if head.is_dated else _date_line(int(time.time()))
    if not keep_alive:
        if head.status != 101:
            added += _CLOSE
    elif minor_version == 0:
        added += _KEEP_ALIVE
    section = serialize_fields(head.fields)
    start = _OK if head.status == 200 and head.reason == b"OK" else _status_line(head)
    return b"".join((start, section, added, b"\r\n", content))


def _status_line(head: ClientHead) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    """Return the Date line of a time since the epoch (RFC 9110, 5.6.7)."""
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
