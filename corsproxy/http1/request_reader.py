"""Reads the requests in a connection's bytes, without I/O.

What it promises: this is the only place where heads and content are told apart, one request at
a time, so that no reader of a head ever sees what follows it. Plain heads are read by
`plain_request`, all others by `head_parser`.
"""

from enum import Enum
from typing import TYPE_CHECKING, Final

from corsproxy.core.policy import Limits
from corsproxy.http1.chunked import ChunkedCodingError, ChunkedDecoder
from corsproxy.http1.head_parser import MalformedHeadError, parse_head
from corsproxy.http1.plain_lines import CR, LF
from corsproxy.http1.plain_request import PlainHeadReader
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.unfinished_head import (
    HEAD_END,
    HeadBudget,
    HeadsFullError,
    UnfinishedHead,
)

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64


class ReaderState(Enum):
    """What the next byte belongs to."""

    IDLE = "a request that has not begun"
    HEAD = "a head that has begun"
    LENGTH = "content of known length"
    CHUNKED = "content in the chunked coding"
    SWITCH = "what only the answer to a request to switch protocols can tell"
    FAILED = "nothing that is read: what came was no request"


class ReaderEvent(Enum):
    """What was read."""

    HEAD_BEGUN = 1
    NO_CONTENT = 2  # a head that no content follows
    HAS_LENGTH = 3
    IS_CHUNKED = 4
    ASKS_TO_SWITCH = 5
    CONTENT_END = 6
    DECLINED = 7  # the protocol was not switched
    MALFORMED = 8


# Constants, which compiled code finds faster than members of a class.
IDLE: Final = ReaderState.IDLE
HEAD: Final = ReaderState.HEAD
LENGTH: Final = ReaderState.LENGTH
CHUNKED: Final = ReaderState.CHUNKED
SWITCH: Final = ReaderState.SWITCH
FAILED: Final = ReaderState.FAILED

# Beyond this it pays to look first whether a head has arrived whole: reading a long one byte
# by byte takes milliseconds where it is not compiled.
_LONG: Final = 8 * 1024

_HEAD_END: Final = {
    ReaderEvent.NO_CONTENT: IDLE,
    ReaderEvent.HAS_LENGTH: LENGTH,
    ReaderEvent.IS_CHUNKED: CHUNKED,
    ReaderEvent.ASKS_TO_SWITCH: SWITCH,
    ReaderEvent.MALFORMED: FAILED,
}
TRANSITIONS: Final[dict[ReaderState, dict[ReaderEvent, ReaderState]]] = {
    IDLE: {ReaderEvent.HEAD_BEGUN: HEAD, **_HEAD_END},
    HEAD: _HEAD_END,
    LENGTH: {ReaderEvent.CONTENT_END: IDLE},
    CHUNKED: {ReaderEvent.CONTENT_END: IDLE, ReaderEvent.MALFORMED: FAILED},
    SWITCH: {ReaderEvent.DECLINED: IDLE},
    FAILED: {},
}


class RequestReader:
    """Reads the requests of one connection."""

    __slots__ = (
        "_client", "_decoder", "_plain", "_secure", "_unfinished", "end", "left", "size", "state",
    )  # fmt: skip

    def __init__(self, limits: Limits, budget: HeadBudget) -> None:
        """`budget` is shared by all connections."""
        self.state = IDLE
        self.end = 0
        """Where in its data the last call stopped reading."""
        self.left = 0
        """How many bytes of content of known length are still to come."""
        self.size = 0
        """How many bytes the last head has that was read."""
        self._client = ""
        self._secure = False
        self._plain: PlainHeadReader | None = None
        self._unfinished = UnfinishedHead(limits, budget)
        self._decoder: ChunkedDecoder | None = None

    def begin(self, client: str, secure: bool) -> None:
        """Describe the connection, as in `RequestHead`."""
        self._client, self._secure = client, secure
        self._plain = PlainHeadReader(client, secure)

    def retire(self) -> None:
        """Read no more. A tunnel may be idle for hours, so it keeps nothing that it does not
        need."""
        self._plain = None

    def read_head(self, data: bytes, at: int) -> RequestMessage | None:
        """Read the head that begins or continues at `at`. None if it does not end in `data`; the
        state says whether it has begun.

        Raises MalformedHeadError and HeadsFullError; nothing more can be read then.
        """
        if self.state is IDLE:
            at = _behind_empty_lines(data, at)
            if at == len(data):
                self.end = at
                return None
            plain = self._plain
            if len(data) - at > _LONG and data.find(HEAD_END, at) < 0:
                plain = None
            message = None if plain is None else plain.read(data, at)
            if plain is not None and message is not None:
                self.end = plain.end
                self.size = plain.end - at
                if message.length is not None:
                    self._head_ended(message)
                return message
        try:
            message = self._read_unusual(data, at)
        except (MalformedHeadError, HeadsFullError):
            self.end = len(data)
            self._move(ReaderEvent.MALFORMED)
            raise
        if message is not None:
            self._head_ended(message)
        return message

    def _read_unusual(self, data: bytes, at: int) -> RequestMessage | None:
        unfinished = self._unfinished
        end = unfinished.end_in(data, at)
        if not end:
            self.end = len(data)
            unfinished.add(data[at:])
            if self.state is IDLE:
                self._move(ReaderEvent.HEAD_BEGUN)
            return None
        self.end = end
        whole = unfinished.finish(data[at:end])
        self.size = len(whole)
        try:
            return parse_head(whole, self._client, self._secure)
        except MalformedHeadError:
            unfinished.keep(whole)
            raise

    def _head_ended(self, message: RequestMessage) -> None:
        if message.is_chunked:
            self._move(ReaderEvent.IS_CHUNKED)
        elif message.length:
            self.left = message.length
            self._move(ReaderEvent.HAS_LENGTH)
        else:
            self._move(ReaderEvent.ASKS_TO_SWITCH if message.upgrade else ReaderEvent.NO_CONTENT)

    def read_content(self, data: bytes, at: int) -> bytes:
        """Return the content in `data` from `at` on.

        Raises ChunkedCodingError; nothing more can be read then.
        """
        if self.state is LENGTH:
            content = data[at : at + self.left]
            self.end = at + len(content)
            self.count(len(content))
            return content
        self._decoder = decoder = self._decoder or ChunkedDecoder()
        try:
            content, self.end = decoder.decode(data, at)
        except ChunkedCodingError:
            self._decoder = None
            self._move(ReaderEvent.MALFORMED)
            raise
        if decoder.has_ended:
            self._decoder = None
            self._move(ReaderEvent.CONTENT_END)
        return content

    def count(self, size: int) -> None:
        """Skip `size` bytes of content of known length."""
        self.left -= size
        if not self.left:
            self._move(ReaderEvent.CONTENT_END)

    def decline_switch(self) -> None:
        """The protocol was not switched: HTTP continues."""
        if self.state is SWITCH:
            self._move(ReaderEvent.DECLINED)

    def take_unfinished(self) -> bytes:
        """Return what has arrived of an unfinished or malformed head, and forget it."""
        return self._unfinished.take()

    def _move(self, event: ReaderEvent) -> None:
        self.state = TRANSITIONS[self.state][event]


def _behind_empty_lines(data: bytes, begin: int) -> int:
    """Return the first place from `begin` on that is not part of an empty line; heads do not
    begin with those (RFC 9112, 2.2)."""
    at: i64 = begin
    while at < len(data) and (data[at] == CR or data[at] == LF):
        at += 1
    return at
