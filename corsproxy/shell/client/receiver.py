"""Requests out of bytes: aiohttp's parser, and the queue of what it has read.

What it promises: no more requests wait than `MOST_WAITING`, and no more of a request's
content than an `Intake` takes: above that, the connection is not read. What aiohttp's own
`RequestHandler` does besides, a proxy does not need, and would pay for in every exchange.

Of aiohttp 3.14, the parser is used beyond its documented names; a test fails where one of
them goes away. Its readers of content call `resume_reading` and `connected` here, and never
`pause_reading`: they are emptied before they have too much.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import StreamReader

from corsproxy.core.policy import Limits
from corsproxy.shell.client.content import NO_CONTENT, Content, content_of
from corsproxy.shell.client.head_pattern import HEAD_END
from corsproxy.shell.client.link import REQUESTS, Link
from corsproxy.shell.client.message import ParsedMessage, RequestMessage, read_message
from corsproxy.shell.streams.piece import PIECE_SIZE, ReadBuffer

MOST_WAITING: Final = 32
"""Requests that one client may have sent ahead of their answers."""

_MOST_BEHIND_UPGRADE: Final = 32 * 1024
# Of aiohttp's readers of content: never reached, neither by the bytes of one read nor by the
# chunks in them.
_READER_LIMIT: Final = 4 * PIECE_SIZE


class RequestParser(Protocol):
    """What is used of an `aiohttp.http_parser.HttpRequestParser`, whose own types are those of its
    twin in pure Python."""

    def feed_data(
        self, data: bytes
    ) -> tuple[Sequence[tuple[ParsedMessage, StreamReader]], bool, bytes]:
        """Return the requests whose heads have ended, whether the protocol has been
        switched behind the last of them, and the bytes of the new one."""
        ...

    def message_consumed(self) -> None:
        """Make room for another request."""
        ...

    def set_upgraded(self, upgraded: bool) -> None:
        """Say that the protocol has not been switched after all."""
        ...


class Receiver(Link):
    """One client connection as a queue of requests."""

    __slots__ = (
        "_arriving",
        "_behind_upgrade",
        "_buffer",
        "_has_overflowed",
        "_is_upgraded",
        "_limits",
        "_lossy",
        "_parser",
        "_waiting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, buffer: ReadBuffer) -> None:
        """`buffer` takes every read."""
        super().__init__(loop, limits)
        self._buffer = buffer
        self._limits = limits
        self._parser: RequestParser | None = self._make_parser()
        self._waiting: list[tuple[RequestMessage | None, Content]] = []
        """The requests that were read and not begun; None is what cannot be read."""
        self._arriving: Content | None = None
        """The content of the last request that was read, until all of it is there."""
        self._has_overflowed = False
        """Whether more requests have waited than are queued: where the parser was then, and what
        it had left, it alone knows, and nobody who has not set out to confuse will mind."""
        self._is_upgraded = False
        """Whether the parser has stopped, behind a request to switch protocols."""
        self._behind_upgrade = b""
        """What came behind that request."""
        self._lossy: RequestMessage | None = None
        """A request to switch protocols behind which bytes may be missing."""

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._parser = None  # it holds the connection, too

    # How aiohttp's readers of content see the connection.

    @property
    def connected(self) -> bool:
        return self.transport is not None

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Nothing: it has never been paused for their sake."""

    # Bytes.

    def get_buffer(self, sizehint: int) -> memoryview:
        content = self._arriving
        if content is None or not content.is_counted:
            return self._buffer.space()
        return self._buffer.space(content.most)

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffer.lent(nbytes)
        content = self._arriving
        if content is not None and not self.is_deaf and self._counts(content, nbytes):
            data = self._count(content, data)
        if data:
            self.data_received(bytes(data))

    def data_received(self, data: bytes) -> None:
        """Take what is not counted."""
        raise NotImplementedError

    def _counts(self, content: Content, arrived: int) -> bool:
        """Whether `content` is counted, from now on where that is worth a new parser."""
        if content.is_counted:
            return True
        if content.left is None or content.left <= arrived or self._waiting:
            return False
        content.is_counted = True
        # The one that has read the head would wait for the content for ever.
        self._parser = self._make_parser()
        return True

    def _count(self, content: Content, data: memoryview) -> memoryview:
        """Put in what `data` holds of `content`; returns what is behind it."""
        arrived = data[: content.left]
        content.put(arrived)
        if not content.left:
            content.end()
            self._arriving = None
        content.wake()
        return data[len(arrived) :]

    # The queue.

    @property
    def _is_queue_full(self) -> bool:
        return self._held_by & REQUESTS != 0

    def _request_taken(self, content: Content) -> None:
        """Let the parser go on where the queue was full. It counts what it has read to the
        end: what has not all arrived is told to it then."""
        if self._parser is not None and content.has_arrived:
            self._parser.message_consumed()
        if self._is_queue_full and not self._waiting:
            self._refill()

    def _refill(self) -> None:
        """Read what was held back, and read on unless that was enough again."""
        if len(self._behind_upgrade) >= _MOST_BEHIND_UPGRADE:
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
            if len(self._behind_upgrade) >= _MOST_BEHIND_UPGRADE:
                self.hold(REQUESTS)
            return
        waiting, parser = self._waiting, self._parser
        if parser is None:
            if self.transport is None:
                return
            parser = self._parser = self._make_parser()
        taken = None if waiting else self._arriving
        try:
            messages, self._is_upgraded, behind = parser.feed_data(data)
        except HttpProcessingError:
            self._collect()
            waiting.append((None, NO_CONTENT))
            return
        self._collect()
        for parsed, payload in messages:
            message = read_message(parsed, payload, self.client, self.secure)
            content = content_of(message, self, payload)
            waiting.append((message, content))
            self._arriving = None if content.has_arrived else content
        if taken is not None and taken.has_arrived:
            # It may have stopped for one request too many.
            parser.message_consumed()
            if not self._is_upgraded:
                self._parse(b"")
        if behind:
            self._behind_upgrade = behind
        if len(waiting) >= MOST_WAITING:
            self._has_overflowed = True
            self.hold(REQUESTS)

    # What comes behind a request to switch protocols.

    def _stop_behind_upgrade(self, data: bytes) -> None:
        """Keep what follows a request to upgrade from being read as requests.

        The parser does so for WebSocket. For other protocols it reads on, and what the
        same bytes held behind the request is lost to it: here `data` begins with the
        request, so that it can be found again.
        """
        self._is_upgraded = True
        self._behind_upgrade = data.lstrip(b"\r\n").partition(HEAD_END)[2]

    def _decline_upgrade(self) -> None:
        """Read on as HTTP behind a request to upgrade that was answered otherwise."""
        self._is_upgraded = False
        if self._parser is not None:
            self._parser.set_upgraded(False)
        tail, self._behind_upgrade = self._behind_upgrade, b""
        if tail:
            self.data_received(tail)
        if self._is_queue_full:
            self._refill()

    def must_end_behind(self, message: RequestMessage) -> bool:
        """Whether bytes may be missing behind a request to upgrade: then nothing that
        follows it can be trusted."""
        return message is self._lossy or (message.upgrade and not self._is_upgraded)

    def can_switch(self, message: RequestMessage) -> bool:
        """Whether everything behind the request is at hand for a tunnel."""
        return self._is_upgraded and message is not self._lossy and not self._waiting

    # The content.

    def _collect(self) -> None:
        """Get hold of what the parser has read of the content that was arriving."""
        if self._arriving is not None:
            self._arriving.collect()
            if self._arriving.has_arrived:
                self._arriving = None

    def _make_parser(self) -> RequestParser:
        limits = self._limits
        return HttpRequestParser(
            self,  # type: ignore[arg-type] # what its readers ask of a protocol is here
            self._loop,
            _READER_LIMIT,
            max_line_size=limits.target,
            max_field_size=limits.field,
            max_headers=limits.fields,
            auto_decompress=False,
            max_msg_queue_size=MOST_WAITING,
        )
