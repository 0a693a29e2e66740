"""Heads as bytes: of requests to upstreams, of responses to clients.

The core's heads are complete but for two fields of a response, which depend on the client's
connection and on the clock: `Connection` and `Date` are added here.
"""

import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from corsproxy.core.messages import ClientHead, Field, UpstreamRequest
from corsproxy.http1.plain_lines import CR, LF

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
BARE_FAULT: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
"""The answer when even making an answer has failed. It has no grant."""

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CLOSE: Final = b"Connection: close\r\n"
_KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"


def serialize_fields(fields: Sequence[Field]) -> bytes:
    """Return a field section as it goes on the wire, without the empty line that ends it.

    Raises ValueError where a line break is in what must be one line: it would be read as two.
    Nothing that a client or an upstream can send gets here in that shape.
    """
    # Declared, because compiled code formats only what it knows to be bytes.
    listed: list[Field] = fields if isinstance(fields, list) else list(fields)
    lines = [b"%b: %b" % (name, value) for name, value in listed]
    text = b"".join(lines)
    if LF in text or CR in text:
        raise ValueError("a line break inside a field line")
    lines.append(b"")
    return b"\r\n".join(lines)


class RequestForm:
    """What all requests on a connection have in common."""

    __slots__ = ("fields", "target_prefix")

    def __init__(self, target_prefix: bytes = b"", fields: tuple[Field, ...] = ()) -> None:
        self.target_prefix: Final = target_prefix
        """Turns an origin-form target into absolute-form, for a forward proxy (RFC 9112,
        3.2.2)."""
        self.fields: Final = fields

    def serialize(self, request: UpstreamRequest) -> bytes:
        """Return the head, the empty line included.

        Raises ValueError for white space in the target or a line break in a field line: the
        request would be read as two. Nothing that a client sends gets here in that form.
        """
        target = request.target
        if len(target.split()) != 1:
            raise ValueError("white space inside a request target")
        fields = (*request.fields, *self.fields) if self.fields else request.fields
        section = serialize_fields(fields)
        method = request.method.encode("ascii")
        return b"%b %b%b HTTP/1.1\r\n%b\r\n" % (method, self.target_prefix, target, section)


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
    return b"%b%b%b\r\n%b" % (start, section, added, content)


def _status_line(head: ClientHead) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    """Return the Date line of a time since the epoch (RFC 9110, 5.6.7)."""
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
