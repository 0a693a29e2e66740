"""Requests out of bytes, until the protocol is switched.

What it promises: heads and content are told apart here and nowhere else, one request at a time,
so that no reader of a head ever sees what follows it; no more requests wait than `MOST_WAITING`,
and no more of a request's content than an `BodyBuffer` takes: above that, the connection is not
read.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.chunked import ChunkedCodingError
from corsproxy.http1.head_parser import HeadParser, MalformedHeadError
from corsproxy.http1.plain_lines import CR, LF
from corsproxy.http1.plain_request import PlainHeadReader
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.unfinished_head import UnfinishedHead
from corsproxy.shell.listener.content import NO_CONTENT, Content, content_of
from corsproxy.shell.listener.faults import BodyRefusedError
from corsproxy.shell.listener.link import REQUESTS, Link
from corsproxy.shell.streams.body_buffer import BodyBuffer
from corsproxy.shell.streams.eager_task import Wakeup
from corsproxy.shell.streams.piece import ReadBuffer

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

MOST_WAITING: Final = 32
"""Requests that one client may have sent ahead of their answers."""

_MOST_BEHIND_UPGRADE: Final = 32 * 1024


class Receiver(Link):
    """One client connection as a queue of requests."""

    __slots__ = (
        "_arriving",
        "_behind",
        "_buffer",
        "_head",
        "_limits",
        "_may_switch",
        "_parser",
        "_plain_heads",
        "_requests",
        "_tunnel",
        "_waiting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, buffer: ReadBuffer) -> None:
        """`buffer` takes every read."""
        super().__init__(loop, limits)
        self._buffer = buffer
        self._limits = limits
        self._waiting: list[tuple[RequestMessage | None, Content]] = []
        """The requests that were read and not begun; None is what cannot be read."""
        self._requests = Wakeup()
        """Given when there are some."""
        self._head = UnfinishedHead(limits)
        self._plain_heads: PlainHeadReader | None = None
        self._parser: HeadParser | None = None
        """What has got the unfinished head so far, if there is one."""
        self._arriving: Content | None = None
        """The content of the last request that was read, until all of it is there."""
        self._may_switch = False
        """Whether the last request that was read asks for another protocol: until it has been
        answered, nobody knows what follows it."""
        self._behind = b""
        """What has arrived and cannot be read yet."""
        self._tunnel: BodyBuffer | None = None
        """Where everything goes when the protocol has been switched."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._plain_heads = PlainHeadReader(self.client, self.secure)

    # Bytes.

    def get_buffer(self, sizehint: int) -> memoryview:
        content = self._arriving
        if content is None or not content.left:
            return self._buffer.space()
        return self._buffer.space(content.most)

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffer.lent(nbytes)
        content = self._arriving
        if content is not None and content.left and not self.is_deaf:
            # It needs no copy.
            arrived = data[: content.left]
            content.count(arrived)
            if not content.left:
                self._arriving = None
            content.wake()
            data = data[len(arrived) :]
        if data:
            self.data_received(bytes(data))

    def data_received(self, data: bytes) -> None:
        """Take what need not be content."""
        if self._tunnel is not None:
            self._tunnel.put(data)
            self._tunnel.wake()
        elif self.is_deaf:
            pass
        elif self._behind or self._may_switch:
            self._keep(data)
        else:
            self._read(data)

    def _keep(self, data: bytes) -> None:
        """Keep what cannot be read yet."""
        self._behind += data
        if not self._may_switch or len(self._behind) >= _MOST_BEHIND_UPGRADE:
            self.pause_reading(REQUESTS)

    def _read_behind(self) -> None:
        """Read what has been kept, and read on unless that is enough again."""
        behind, self._behind = self._behind, b""
        self.resume_reading(REQUESTS)
        if behind:
            self.data_received(behind)

    def _read(self, data: bytes) -> None:
        content = self._arriving
        at = 0
        while at < len(data) and not self.is_deaf and self.transport is not None:
            if self._arriving is not None:
                at = self._read_content(self._arriving, data, at)
            elif self._may_switch or len(self._waiting) >= MOST_WAITING:
                self._keep(data[at:])
                break
            else:
                at = self._read_head(data, at)
        # Only now: what the same bytes hold behind a head is at hand.
        if content is not None:
            content.wake()
        if self._waiting:
            self._requests.set()
        if self._arriving is not None and self._arriving is not content:
            self._arriving.wake()

    # Heads.

    def _read_head(self, data: bytes, at: int) -> int:
        """Read the head that begins or goes on there; returns where what has been read ends."""
        head = self._head
        if not head.has_begun:
            at = _behind_empty_lines(data, at)
            if at == len(data):
                return at
            plain = self._plain_heads
            if plain is not None and (message := plain.read(data, at)) is not None:
                self._head_ended(message)
                return plain.end
            self._head_begins()
        end = head.end_in(data, at)
        if self._parser is None:
            self._parser = HeadParser(self._loop, self._limits, self.client, self.secure)
        piece = data[at:end] if end else data[at:]
        head.add(piece)
        try:
            message = self._parser.feed(piece, is_all=end > 0)
        except MalformedHeadError:
            self._unreadable()
            return len(data)
        if message is not None:
            head.take()
            self._head_ended(message)
            return end
        if head.is_too_large:
            self._unreadable()
        return len(data)

    def _head_begins(self) -> None:
        """The first of a head is there, which may take longer than it must."""
        raise NotImplementedError

    def _head_ended(self, message: RequestMessage) -> None:
        self._parser = None
        content = content_of(message, self)
        self._waiting.append((message, content))
        if not content.has_arrived:
            self._arriving = content
        self._may_switch = message.upgrade and content.has_arrived

    def _unreadable(self) -> None:
        """What cannot be read waits for its turn like a request. Nothing follows it."""
        self._parser = None
        self._waiting.append((None, NO_CONTENT))
        self._hear_no_more()

    def _hear_no_more(self) -> None:
        """Take nothing of what follows, until the connection is ended behind what came before."""
        self.is_deaf = True
        self.pause_reading(REQUESTS)

    # Content.

    def _read_content(self, content: Content, data: bytes, at: int) -> int:
        """Read what is there of the content that is arriving; returns where that ends."""
        try:
            at = content.feed(data, at)
        except ChunkedCodingError:
            content.fail(BodyRefusedError(Code.BAD_FRAMING))
            self._hear_no_more()
        if content.has_arrived:
            self._arriving = None
        return at

    # The queue.

    def _request_taken(self) -> None:
        """Read on where the queue was full."""
        if self._behind and not self._waiting and not self._may_switch:
            self._read_behind()

    def _drop_rest(self) -> bool:
        """Forget what follows the last request that is answered; returns whether anything does,
        and more may be on its way."""
        is_more = self.is_deaf or bool(self._waiting or self._behind) or self._head.has_begun
        self._waiting.clear()
        self._behind = b""
        self._head.take()
        return is_more

    # What comes behind a request to switch protocols.

    @property
    def can_switch(self) -> bool:
        """Whether the request that is being answered is the last one that was read, and asks for
        another protocol: everything behind it is at hand."""
        return self._may_switch and not self._waiting

    def _decline_switch(self) -> None:
        """Read on as HTTP behind a request for another protocol that was answered otherwise."""
        if self.can_switch:
            self._may_switch = False
            self._read_behind()

    def switch(self) -> BodyBuffer:
        """Read no more requests: return where everything that arrives from now on goes."""
        self._tunnel = intake = BodyBuffer(self)
        # A tunnel may be idle for hours: it keeps nothing that it will not need.
        self._plain_heads = None
        self.reading.stop()
        self._read_behind()
        return intake


def _behind_empty_lines(data: bytes, begin: int) -> int:
    """Return where, from there on, something else begins than empty lines, which are no part of
    a head (RFC 9112, 2.2)."""
    at: i64 = begin
    while at < len(data) and (data[at] == CR or data[at] == LF):
        at += 1
    return at
