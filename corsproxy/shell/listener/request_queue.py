"""The requests of one connection, in order, until the protocol is switched.

What it promises: at most `MOST_WAITING` requests wait, and at most as much content as a
`BodyBuffer` holds; beyond that, the connection is not read.
"""

from collections.abc import Callable
from typing import Final

from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.chunked import ChunkedCodingError
from corsproxy.http1.head_parser import MalformedHeadError
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.request_reader import FAILED, HEAD, IDLE, LENGTH, SWITCH, RequestReader
from corsproxy.http1.unfinished_head import HeadBudget, HeadsFullError
from corsproxy.shell.listener.faults import BodyRefusedError
from corsproxy.shell.listener.wire import REQUESTS, Wire
from corsproxy.shell.streams.body_buffer import NO_CONTENT, BodyBuffer
from corsproxy.shell.streams.eager_task import Wakeup
from corsproxy.shell.streams.piece import PIECE_SIZE

MOST_WAITING: Final = 32
"""How many requests a client may send ahead of their answers."""

_MOST_BEHIND_UPGRADE: Final = 32 * 1024


class Arrived:
    """A request that was read and has not begun."""

    __slots__ = ("content", "message", "refusal", "size")

    def __init__(
        self,
        message: RequestMessage | None,
        content: BodyBuffer,
        refusal: Code | None = None,
        size: int = 0,
    ) -> None:
        self.message: Final = message
        """None for a malformed request."""
        self.content: Final = content
        self.refusal: Final = refusal
        """Why it is refused, where its bytes do not tell."""
        self.size: Final = size
        """How many bytes its head has."""


class RequestQueue:
    """One client connection as a queue of requests."""

    __slots__ = (
        "_arriving", "_behind", "_head_begun", "_wire", "filled", "reader", "tunnel", "waiting",
    )  # fmt: skip

    def __init__(
        self, wire: Wire, limits: Limits, budget: HeadBudget, head_begun: Callable[[], None]
    ) -> None:
        """`head_begun` is called when the beginning of a head has arrived, but not its end."""
        self.reader: Final = RequestReader(limits, budget)
        self.waiting: list[Arrived] = []
        """The requests that were read and have not begun."""
        self.filled: Final = Wakeup()
        """Set when `waiting` is not empty."""
        self.tunnel: BodyBuffer | None = None
        """Takes everything that arrives after the protocol was switched."""
        self._wire: Final = wire
        self._head_begun: Final = head_begun
        self._arriving: BodyBuffer | None = None
        """The content of the last request that was read, until it is complete."""
        self._behind = b""
        """Bytes that have arrived and cannot be read yet."""

    # Bytes.

    @property
    def most(self) -> int:
        """How much may be read at once."""
        content = self._arriving
        return PIECE_SIZE if content is None or self.reader.state is not LENGTH else content.most

    def lent(self, data: memoryview) -> None:
        """Take lent bytes. Content among them is not copied."""
        content, reader = self._arriving, self.reader
        if content is not None and reader.state is LENGTH and not self._wire.is_ending:
            arrived = data[: reader.left]
            reader.count(len(arrived))
            self._put(content, arrived)
            content.wake()
            data = data[len(arrived) :]
        if data:
            self.take(bytes(data))

    def take(self, data: bytes) -> None:
        """Take bytes that may be heads."""
        if self.tunnel is not None:
            self.tunnel.put(data)
            self.tunnel.wake()
        elif self.is_deaf:
            pass
        elif self._behind or self.reader.state is SWITCH:
            self._keep(data)
        else:
            self._read(data)

    @property
    def is_deaf(self) -> bool:
        """Whether what arrives is discarded."""
        return self.reader.state is FAILED or self._wire.is_ending

    def _keep(self, data: bytes) -> None:
        """Keep bytes that cannot be read yet."""
        self._behind += data
        if self.reader.state is not SWITCH or len(self._behind) >= _MOST_BEHIND_UPGRADE:
            self._wire.pause_reading(REQUESTS)

    def _read_behind(self) -> None:
        """Read what was kept, and resume reading unless the queue is full again."""
        behind, self._behind = self._behind, b""
        self._wire.resume_reading(REQUESTS)
        if behind:
            self.take(behind)

    def _read(self, data: bytes) -> None:
        first, at = self._arriving, 0
        while at < len(data) and not (self.is_deaf or self._wire.is_gone):
            if self._arriving is not None:
                at = self._read_content(self._arriving, data, at)
            elif self.reader.state is SWITCH or len(self.waiting) >= MOST_WAITING:
                self._keep(data[at:])
                break
            else:
                at = self._read_head(data, at)
        # Only now, when everything in the same bytes has been read.
        if first is not None:
            first.wake()
        if self.waiting:
            self.filled.set()
        if self._arriving is not None and self._arriving is not first:
            self._arriving.wake()

    def _read_head(self, data: bytes, at: int) -> int:
        """Read the head that begins or continues at `at`; return where reading stopped."""
        reader = self.reader
        begins = reader.state is IDLE
        try:
            message = reader.read_head(data, at)
        except MalformedHeadError:
            self._unreadable(None)
        except HeadsFullError:
            self._unreadable(Code.CONNECTIONS_FULL)
        else:
            if message is not None:
                self._add(message)
                return reader.end
        if begins and reader.state is not IDLE:
            self._head_begun()
        return reader.end

    def _add(self, message: RequestMessage) -> None:
        content = NO_CONTENT
        if message.length is not None or message.is_chunked:
            self._arriving = content = BodyBuffer(self._wire)
        self.waiting.append(Arrived(message, content, None, self.reader.size))

    def _unreadable(self, code: Code | None) -> None:
        """A malformed request waits for its turn like any other. Nothing follows it."""
        self.waiting.append(Arrived(None, NO_CONTENT, code))
        self._wire.pause_reading(REQUESTS)

    def _read_content(self, content: BodyBuffer, data: bytes, at: int) -> int:
        """Read the content that has arrived; return where it ends."""
        try:
            arrived = self.reader.read_content(data, at)
        except ChunkedCodingError:
            content.fail(BodyRefusedError(Code.BAD_FRAMING))
            self._wire.pause_reading(REQUESTS)
            return len(data)
        self._put(content, arrived)
        return self.reader.end

    def _put(self, content: BodyBuffer, arrived: bytes | memoryview) -> None:
        if arrived:
            content.put(arrived)
        if self.reader.state is IDLE:
            content.end()
            self._arriving = None

    # The queue.

    def taken(self) -> None:
        """A request was taken: resume reading if the queue was full."""
        if self._behind and not self.waiting and self.reader.state is not SWITCH:
            self._read_behind()

    def drop_rest(self) -> bool:
        """Discard everything after the last request that is answered; return whether there was
        anything, and more may be on its way."""
        is_more = self.is_deaf or bool(self.waiting or self._behind) or self.has_begun
        self.waiting.clear()
        self._behind = b""
        self.reader.take_unfinished()
        return is_more

    @property
    def has_begun(self) -> bool:
        """Whether a head has begun and not ended."""
        return self.reader.state is HEAD

    # Switching protocols.

    @property
    def can_switch(self) -> bool:
        """Whether the current request is the last one that was read, and asks to switch
        protocols: everything after it is still here."""
        return self.reader.state is SWITCH and not self.waiting

    def decline_switch(self) -> None:
        """Continue with HTTP: the protocol was not switched."""
        if self.can_switch:
            self.reader.decline_switch()
            self._read_behind()

    def switch(self) -> BodyBuffer:
        """Read no more requests; return the buffer for everything that arrives from now on."""
        self.tunnel = tunnel = BodyBuffer(self._wire)
        self.reader.retire()
        self._wire.reading.stop()
        self._read_behind()
        return tunnel
