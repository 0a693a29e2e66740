"""Heads of requests, read by aiohttp's parser: the judge of whatever is not plain.

It gets one head at a time and nothing of what follows, so that nothing has to be known of
where it stops, what it keeps and what it drops behind the head. Of aiohttp 3.14, it is used
beyond its documented names; a test fails where one of them goes away.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from aiohttp.http_writer import HttpVersion
from aiohttp.streams import EMPTY_PAYLOAD

from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Limits
from corsproxy.http1.request_message import RequestMessage

# Of a reader of content, which gets none.
_READER_LIMIT = 1024


class MalformedHeadError(ValueError):
    """What has arrived is no head of a request, nor the beginning of one."""


class ParsedMessage(Protocol):
    """What is read of an `aiohttp.http_parser.RawRequestMessage`.

    Its own class is declared as a tuple and is none, which compiled code finds out. So what
    is read of it is named here.
    """

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str | None:
        """The request target; bytes outside of UTF-8 as surrogate escapes. None where a line ends
        in its place."""
        ...

    @property
    def version(self) -> HttpVersion: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by name, whatever its case."""
        ...

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The field lines: names and values as they were received."""
        ...

    @property
    def should_close(self) -> bool:
        """Whether the client wants the connection to end behind the answer."""
        ...

    @property
    def upgrade(self) -> bool:
        """Whether it asks to switch protocols."""
        ...

    @property
    def chunked(self) -> bool:
        """Whether content follows in the chunked coding."""
        ...


class _Parser(Protocol):
    """What is used of an `HttpRequestParser`, whose own types are those of its twin in pure
    Python."""

    def feed_data(self, data: bytes) -> tuple[Sequence[tuple[ParsedMessage, object]], bool, bytes]:
        """Return the messages whose heads have ended, each with the reader of its content,
        whether the protocol is switched behind the last one, and what is behind that."""
        ...


class HeadParser:
    """Reads one head."""

    __slots__ = ("_client", "_parser", "_secure")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, client: str, secure: bool
    ) -> None:
        """`client` and `secure` say of the connection what `RequestHead` wants to know."""
        self._client = client
        self._secure = secure
        self._parser: _Parser = HttpRequestParser(
            BaseProtocol(loop),
            loop,
            _READER_LIMIT,
            max_line_size=limits.target,
            max_field_size=limits.field,
            max_headers=limits.fields,
            auto_decompress=False,
        )

    def feed(self, data: bytes, *, is_all: bool) -> RequestMessage | None:
        """Read on; `is_all` says that the head ends in `data`, and `data` with it. Returns the
        message whose head this was.

        Raises MalformedHeadError, as soon as there is something that cannot be in a head.
        """
        try:
            messages, _, _ = self._parser.feed_data(data)
        except Exception as error:
            # Not only HttpProcessingError: yarl, which reads URLs for it, raises others.
            raise MalformedHeadError from error
        # Where the parser's idea of an end were another than ours, the two would part.
        if len(messages) != is_all:
            raise MalformedHeadError
        return self._message(*messages[0]) if is_all else None

    def _message(self, parsed: ParsedMessage, payload: object) -> RequestMessage:
        version = parsed.version
        if parsed.path is None:
            raise MalformedHeadError
        is_known = version.major == 1 and version.minor <= 1
        head = RequestHead(
            parsed.method,
            parsed.path.encode("utf-8", "surrogateescape"),
            parsed.raw_headers,
            version.minor if is_known else 1,
            self._client,
            self._secure,
        )
        if payload is EMPTY_PAYLOAD:
            return RequestMessage(head, is_known, parsed.should_close, parsed.upgrade)
        if parsed.method == "CONNECT":
            # What follows is for a tunnel that nobody opens, and no content.
            return RequestMessage(head, is_known, should_close=True, upgrade=True)
        fields = parsed.headers
        length = None if parsed.chunked else int(fields["Content-Length"])
        return RequestMessage(
            head,
            is_known,
            parsed.should_close,
            parsed.upgrade,
            "Expect" in fields,
            length,
            length is None,
        )
