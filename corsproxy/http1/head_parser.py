"""The head of a request, read by llhttp: for every head that is not plain.

llhttp gets one whole head and nothing after it. It tolerates a few things that recipients read
differently; those are refused here, each with its clause.
"""

import re
from typing import Any, Final

import httptools

from corsproxy.core.messages import Field, RequestHead
from corsproxy.http1.request_message import RequestMessage


class MalformedHeadError(ValueError):
    """What has arrived is not a request head, nor the beginning of one."""


# One space each, and a version of HTTP (RFC 9112, 3 and 2.3): llhttp takes several, none, and
# the versions of RTSP and ICE.
_REQUEST_LINE: Final = re.compile(rb"[!-~]+ [!-~\x80-\xff]+ HTTP/([0-9])\.([0-9])\r\n")
_VERSION: Final = re.compile(rb" HTTP/[0-9]\.[0-9]\r\n")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
# Recipients may take either the first or the last of these.
_ONLY_ONCE: Final = frozenset(
    {
        b"content-length", b"content-location", b"content-range", b"content-type", b"etag",
        b"host", b"max-forwards", b"server", b"transfer-encoding", b"user-agent",
    }
)  # fmt: skip
# The handshake of a draft from 2010, whose key is content that no length announces.
_REFUSED: Final = frozenset({b"sec-websocket-key1"})


class _Head:
    """Collects what llhttp reads in one head."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[Field] = []
        self.should_close: bool | None = None
        """None until the head has ended."""
        self.parser: Any = httptools.HttpRequestParser(self)

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.should_close = not self.parser.should_keep_alive()


def parse_head(data: bytes, client: str, secure: bool) -> RequestMessage:
    """Return the request whose head `data` is, up to and with its empty line.

    `client` and `secure` describe the connection, as in `RequestHead`. Raises
    MalformedHeadError.
    """
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise MalformedHeadError
    is_known = line[1] == b"1" and line[2] in b"01"
    told = _Head()
    parser, end = told.parser, len(data)
    try:
        # llhttp knows some versions that are not supported here; their heads look the same.
        parser.feed_data(data if is_known else _VERSION.sub(b" HTTP/1.1\r\n", data, count=1))
    except httptools.HttpParserUpgrade as switched:
        end = switched.args[0]
    except httptools.HttpParserError as error:
        raise MalformedHeadError from error
    # llhttp must agree about where the head ends.
    if told.should_close is None or end != len(data):
        raise MalformedHeadError
    method = parser.get_method().decode("ascii")
    minor_version = int(line[2]) if is_known else 1
    length, is_chunked, expects = _framing(told.fields)
    fields = tuple(told.fields)
    # Breaks a cycle that would wait for the garbage collector.
    told.parser = None
    head = RequestHead(
        method, told.target, fields, minor_version=minor_version, client=client, secure=secure
    )
    if method == "CONNECT":
        # What follows belongs to a tunnel that is never opened.
        return RequestMessage(head, is_known, should_close=True, upgrade=True)
    upgrade = parser.should_upgrade()
    return RequestMessage(head, is_known, told.should_close, upgrade, expects, length, is_chunked)


def _framing(fields: list[Field]) -> tuple[int | None, bool, bool]:
    """Return the length of the content, whether it is chunked, and whether the client waits for
    a 100 before it sends it. Writes Content-Length anew. Raises MalformedHeadError."""
    length, is_chunked, expects = None, False, False
    seen: set[bytes] = set()
    for at, (name, value) in enumerate(fields):
        known = name.lower()
        if known in _REFUSED or (known in seen and known in _ONLY_ONCE):
            raise MalformedHeadError
        seen.add(known)
        if known == b"content-length":
            if not _DIGITS.fullmatch(value):
                raise MalformedHeadError
            length = int(value)
            # Some servers read a number that begins with a zero as an octal one.
            fields[at] = (name, b"%d" % length)
        elif known == b"transfer-encoding":
            is_chunked = True
        elif known == b"expect":
            expects = True
    if not length:
        length = None
    return length, is_chunked, expects and (is_chunked or length is not None)
