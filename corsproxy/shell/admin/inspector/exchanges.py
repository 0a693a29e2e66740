"""The record of an exchange, during and after it.

Heads are kept as the objects that the proxy itself made, so keeping them costs next to
nothing. Of bodies the first bytes are kept, of messages the last ones.
"""

from collections import deque
from email.utils import formatdate
from enum import StrEnum
from typing import NamedTuple

from corsproxy.core.messages import (
    ClientHead,
    Fields,
    RequestHead,
    UpstreamHead,
    UpstreamRequest,
)
from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.policy import UpstreamAddress
from corsproxy.core.verdicts import Kind, Verdict
from corsproxy.shell.streams.seams import Marks

MOST_OF_BODY = 16 * 1024
"""How many bytes of each side's body are kept."""
MOST_MESSAGES = 100
MOST_OF_MESSAGE = 1024


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


# Nearly all exchanges have no messages, and a deque takes half a kilobyte.
_NO_MESSAGES: deque[Message] = deque(maxlen=0)


class Exchange:
    """One request and its response, as far as they have come."""

    __slots__ = (
        "answer_body",
        "answered_at",
        "client_head",
        "clock",
        "detail",
        "ended",
        "error",
        "generation",
        "head_bytes",
        "headed",
        "is_over",
        "marks",
        "message_bytes",
        "messages",
        "outcome",
        "replay_of",
        "request",
        "request_body",
        "row",
        "sent",
        "started",
        "status",
        "upstream",
        "upstream_head",
        "verdict",
    )

    def __init__(self, request: RequestHead, started: float, clock: float) -> None:
        """`started` is in seconds since the epoch, `clock` the same moment as
        `time.perf_counter`. All other moments are in that clock too, 0.0 if they did not come."""
        self.request = request
        self.started = started
        self.clock = clock
        self.marks = Marks()
        """The times of the steps towards the upstream."""
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
        self.request_body = Body()
        self.answer_body = Body()
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
        for key, value in self.request.fields:
            if len(key) == len(name) and key.lower() == name:
                return value
        return None

    def answer_value(self, name: bytes) -> bytes | None:
        """Return the same for the response that the client got."""
        return None if self.client_head is None else value_of(self.client_head.fields, name)

    @property
    def kept_bytes(self) -> int:
        return len(self.request_body.kept) + len(self.answer_body.kept) + self.message_bytes

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


def value_of(fields: Fields, name: bytes) -> bytes | None:
    """Return the first value of the field `name`, given in lower case."""
    for key, value in fields:
        if len(key) == len(name) and key.lower() == name:
            return value
    return None
