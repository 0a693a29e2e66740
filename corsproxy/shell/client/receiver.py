"""Requests out of bytes: aiohttp's parser, and the queue of what it has read.

What it promises: no more requests wait than `MOST_WAITING`, and no more of a request's
content than its reader's buffer: above that, the connection is not read. What aiohttp's
own `RequestHandler` does besides, a proxy does not need, and would pay for in every
exchange.

Of aiohttp 3.14, the parser is used beyond its documented names; a test fails where one of
them goes away. Its readers of content call `pause_reading`, `resume_reading` and
`connected` here.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from corsproxy.core.policy import Limits
from corsproxy.shell.client.link import REQUESTS, Link
from corsproxy.shell.client.message import ParsedMessage, RequestMessage, read_message

MOST_WAITING: Final = 32
"""Requests that one client may have sent ahead of their answers."""

_READ_BUFFER: Final = 32 * 1024  # a reader's; reading pauses at twice that


class RequestParser(Protocol):
    """What is used of an `aiohttp.http_parser.HttpRequestParser`, whose own types are those of its
    twin in pure Python."""

    def feed_data(
        self, data: bytes
    ) -> tuple[Sequence[tuple[ParsedMessage, StreamReader]], bool, bytes]:
        """Return the requests whose heads have ended, whether the protocol has been
        switched behind the last of them, and the bytes of the new one."""
        ...

    def pause_reading(self) -> None:
        """Stop within the content that is being read, until more is fed."""
        ...

    def message_consumed(self) -> None:
        """Make room for another request."""
        ...

    def set_upgraded(self, upgraded: bool) -> None:
        """Say that the protocol has not been switched after all."""
        ...


class Receiver(Link):
    """One client connection as a queue of requests."""

    __slots__ = ("_behind_upgrade", "_is_flooded", "_is_upgraded", "_parser", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, buffer: memoryview) -> None:
        super().__init__(loop, limits, buffer)
        self._parser: RequestParser | None = HttpRequestParser(
            self,  # type: ignore[arg-type] # what its readers ask of a protocol is here
            loop,
            _READ_BUFFER,
            max_line_size=limits.target,
            max_field_size=limits.field,
            max_headers=limits.fields,
            auto_decompress=False,
            max_msg_queue_size=MOST_WAITING,
        )
        self._waiting: list[tuple[RequestMessage | None, StreamReader]] = []
        """The requests that were read and not begun; None is what cannot be read."""
        self._is_flooded = False  # whether a reader of content has more than it wants
        self._is_upgraded = False
        """Whether the parser has stopped, behind a request to switch protocols."""
        self._behind_upgrade = b""
        """What came behind that request."""

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._parser = None  # it holds the connection, too

    # How aiohttp's readers of content see the connection.

    @property
    def connected(self) -> bool:
        return self.transport is not None

    def pause_reading(self) -> None:
        self._is_flooded = True
        if self._parser is not None and not self._is_upgraded:
            self._parser.pause_reading()
        self.hold()

    def resume_reading(self, resume_parser: bool = True) -> None:
        if not self._is_flooded:
            return
        self._is_flooded = False
        if resume_parser and not self._is_upgraded:
            self.data_received(b"")
        if not self._is_flooded:
            self.flow()

    # The queue.

    @property
    def _is_queue_full(self) -> bool:
        return self._held_by & REQUESTS != 0

    def _request_taken(self) -> None:
        """Let the parser go on where the queue was full."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._is_queue_full and not self._waiting:
            self._refill()

    def _refill(self) -> None:
        """Read what was held back, and read on unless that was enough again."""
        if len(self._behind_upgrade) >= _READ_BUFFER:
            return
        if not self._is_upgraded:
            self.data_received(b"")
            if len(self._waiting) >= MOST_WAITING:
                return
        self.flow(REQUESTS)

    def _parse(self, data: bytes) -> None:
        """Queue the requests that end in `data`."""
        if self._is_upgraded:
            self._behind_upgrade += data
            if len(self._behind_upgrade) >= _READ_BUFFER:
                self.hold(REQUESTS)
            return
        waiting, parser = self._waiting, self._parser
        if parser is None:
            return
        try:
            messages, self._is_upgraded, behind = parser.feed_data(data)
        except HttpProcessingError:
            waiting.append((None, EMPTY_PAYLOAD))
            return
        for parsed, payload in messages:
            message = read_message(parsed, payload, self.client, self.secure)
            waiting.append((message, payload))
        if behind:
            self._behind_upgrade = behind
        if len(waiting) >= MOST_WAITING:
            self.hold(REQUESTS)
