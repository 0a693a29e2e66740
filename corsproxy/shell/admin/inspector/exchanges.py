"""The record of an exchange, during and after it.

Heads are kept as the objects that the proxy itself made, and so is a body that came in one
piece: keeping them costs next to nothing. Everything else is worked out when it is read. Of
bodies the first bytes are kept, of messages the last ones.
"""

import time
from collections import deque
from email.utils import formatdate
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from corsproxy.core.messages import (
    Boxed,
    ClientHead,
    Fields,
    RequestHead,
    UpstreamHead,
    UpstreamRequest,
)
from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.policy import UpstreamAddress
from corsproxy.core.verdicts import Kind, Verdict
from corsproxy.shell.feed.watching import Watch

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

MOST_OF_BODY: Final = 16 * 1024
"""How many bytes of each side's body are kept."""
MOST_MESSAGES: Final = 100
MOST_OF_MESSAGE: Final = 1024


class Direction(StrEnum):
    """The direction of a body or a message."""

    TO_UPSTREAM = "to_upstream"
    TO_CLIENT = "to_client"


class Message(NamedTuple):
    """A WebSocket message or frame, or a server-sent event."""

    at: float
    """Seconds since the epoch."""
    direction: Direction
    kind: str
    """"text", "binary", "close", "ping", "pong", or the event's type."""
    data: bytes
    """Its first MOST_OF_MESSAGE bytes."""
    size: int
    id: str = ""
    """The event's id."""


class Body:
    """The first bytes of a body, and its size."""

    __slots__ = ("is_let_go", "kept", "size")

    def __init__(self) -> None:
        self.kept = b""
        self.size = 0
        self.is_let_go = False
        """Whether the kept bytes were dropped to make room for newer exchanges."""

    @property
    def is_whole(self) -> bool:
        return len(self.kept) == self.size and not self.is_let_go

    def add(self, piece: bytes | bytearray | memoryview) -> int:
        """Take the next bytes; returns how many of them are kept."""
        size = len(piece)
        self.size += size
        room = MOST_OF_BODY - len(self.kept)
        if room <= 0 or self.is_let_go:
            return 0
        if not self.kept and isinstance(piece, bytes) and size <= room:
            self.kept = piece
        else:
            # A piece may be a view of a much larger buffer, or of one that is reused.
            self.kept += bytes(piece[:room])
        return min(size, room)

    def let_go(self) -> None:
        self.kept = b""
        self.is_let_go = self.size > 0


class AnsweredHead(NamedTuple):
    """A response head, from the upstream or as it went to the client."""

    status: int
    reason: bytes
    fields: Fields


_TYPE_LENGTH: Final = len(b"content-type")

# Nearly all exchanges have no messages, and a deque takes half a kilobyte.
_NO_MESSAGES: Final[deque[Message]] = deque(maxlen=0)


class Exchange(Watch):
    """One request and its response, as far as they have come."""

    __slots__ = (
        "_answer_body", "_answer_piece", "_request_body", "_started", "answered_at", "client_head",
        "clock", "detail", "ended", "error", "generation", "head_bytes", "headed", "is_over",
        "message_bytes", "messages", "outcome", "replay_of", "request", "row", "sent", "status",
        "upstream", "upstream_head", "verdict",
    )  # fmt: skip

    def __init__(self, request: RequestHead, started: float, clock: float) -> None:
        """`started` is in seconds since the epoch, 0.0 if it is to be worked out; `clock` is the
        same moment as `time.perf_counter`. All other moments are in that clock too, 0.0 if they
        did not come."""
        super().__init__()
        self.request = request
        self.clock = clock
        self._started = started
        self.headed = 0.0
        """When the upstream's response head arrived."""
        self.answered_at = 0.0
        """When the response head was sent to the client."""
        self.ended = 0.0
        self.row = 0
        """The id of its row in the table; 0 if it has been dropped, negative while it waits for
        one."""
        self.generation = 0
        """The number of the policy that decided about it."""
        self.verdict: Verdict | None = None
        self.sent: UpstreamRequest | None = None
        self.upstream: UpstreamAddress | None = None
        """Where it was forwarded to."""
        self.upstream_head: UpstreamHead | None = None
        self.client_head: ClientHead | None = None
        # Created on demand: most requests have no content, and most responses come in one piece.
        self._request_body: Body | None = None
        self._answer_body: Body | None = None
        self._answer_piece = b""
        self.messages = _NO_MESSAGES
        self.message_bytes = 0
        self.head_bytes = 0
        self.status = 0
        self.error: str | None = None
        self.detail: str | None = None
        self.outcome: Outcome | None = None
        """Set when the exchange is over."""
        self.is_over = False
        self.replay_of: int | None = None

    @property
    def started(self) -> float:
        """When the request had arrived, in seconds since the epoch."""
        if not self._started:
            self._started = time.time() - (time.perf_counter() - self.clock)
        return self._started

    @property
    def request_body(self) -> Body:
        body = self._request_body
        if body is None:
            body = self._request_body = Body()
        return body

    @property
    def answer_body(self) -> Body:
        body = self._answer_body
        if body is None:
            body = self._answer_body = Body()
            body.add(self._answer_piece)
            self._answer_piece = b""
        return body

    @property
    def upstream_answer(self) -> AnsweredHead | None:
        """The response head as the upstream sent it."""
        head = self.upstream_head
        return None if head is None else AnsweredHead(head.status, head.reason, head.fields)

    @property
    def answered(self) -> AnsweredHead | None:
        """The response head as it went to the client, with the Date that was added to it."""
        head = self.client_head
        if head is None:
            return None
        fields = list(head.fields)
        if not head.is_dated:
            moment = self.started + (self.answered_at or self.clock) - self.clock
            date = formatdate(int(moment), usegmt=True)
            fields.append((b"Date", date.encode("ascii")))
        return AnsweredHead(head.status, head.reason, fields)

    @property
    def upstream_url(self) -> bytes:
        """The URL requested from the upstream; empty if none was."""
        if self.sent is None or self.upstream is None:
            return b""
        return self.upstream.origin + self.sent.target

    @property
    def is_preflight(self) -> bool:
        return self.verdict is not None and self.verdict.kind is Kind.PREFLIGHT

    def value(self, name: bytes) -> bytes | None:
        """Return the first value of a request field, by its name in lower case."""
        return value_of(self.request.fields, name)

    def answer_value(self, name: bytes) -> bytes | None:
        """Return the same for the response that the client got."""
        return None if self.client_head is None else value_of(self.client_head.fields, name)

    @property
    def kept_bytes(self) -> int:
        kept = len(self._answer_piece) + self.message_bytes
        if self._request_body is not None:
            kept += len(self._request_body.kept)
        if self._answer_body is not None:
            kept += len(self._answer_body.kept)
        return kept

    def take(self, first: bytes) -> int:
        """Take the first bytes of the response's content; returns how many are kept."""
        if len(first) > MOST_OF_BODY or self._answer_body is not None:
            return self.answer_body.add(first)
        self._answer_piece = first
        return len(first)

    def note(self, message: Message) -> int:
        """Keep a message, in place of the oldest if there are too many; returns the change in
        kept bytes."""
        before = self.message_bytes
        if self.messages is _NO_MESSAGES:
            self.messages = deque(maxlen=MOST_MESSAGES)
        if len(self.messages) == MOST_MESSAGES:
            self.message_bytes -= len(self.messages[0].data)
        self.messages.append(message)
        self.message_bytes += len(message.data)
        return self.message_bytes - before

    def let_go(self) -> None:
        """Keep only the heads."""
        self.request_body.let_go()
        self.answer_body.let_go()
        self.messages = _NO_MESSAGES
        self.message_bytes = 0


def weight(fields: Fields) -> int:
    """Return roughly how many bytes field lines take."""
    total: i64 = 0
    for line in _boxed(fields):
        total += len(line[0]) + len(line[1])
    return total


def weight_and_type(fields: Fields) -> tuple[int, bytes]:
    """Return the weight of field lines and their Content-Type, in one pass; empty without one."""
    total: i64 = 0
    content_type = b""
    for line in _boxed(fields):
        name = line[0]
        length: i64 = len(name)
        total += length + len(line[1])
        if length == _TYPE_LENGTH and name.lower() == b"content-type":
            content_type = line[1]
    return total, content_type


def value_of(fields: Fields, name: bytes) -> bytes | None:
    """Return the first value of the field `name`, given in lower case."""
    length = len(name)
    for line in _boxed(fields):
        if len(line[0]) == length and line[0].lower() == name:
            return line[1]
    return None


def _boxed(fields: Fields) -> list[Boxed]:
    """Return the lines in the form that compiled code iterates over fastest. Nearly all are a
    list already."""
    return cast("list[Boxed]", fields if isinstance(fields, list) else list(fields))
