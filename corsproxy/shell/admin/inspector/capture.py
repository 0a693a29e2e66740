"""Records what happens in an exchange, while it happens, into the ring.

While no page is open, capturing only keeps references: to values that the exchange made
anyway, and to the beginning of its bodies.
"""

import asyncio
import time
import zlib
from collections import deque
from typing import Final

from corsproxy.core.decision import Decision, Forward
from corsproxy.core.messages import ClientHead, Fields, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.exchanges import (
    MOST_OF_BODY,
    Direction,
    Exchange,
    Message,
    value_of,
    weight,
    weight_and_type,
)
from corsproxy.shell.admin.inspector.ring import Ring
from corsproxy.shell.admin.inspector.taps import EventTap, Note, WebSocketTap
from corsproxy.shell.admin.inspector.usage import Usage
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.streams.piece import Piece

# An explanation needs the policy that decided. Each reload makes a new one; the latest are kept.
_POLICIES: Final = 10
_EVENTS: Final = b"text/event-stream"
# Limit for one chunk of an event stream, inflated.
_MOST_INFLATED: Final = 1024 * 1024


class Policies:
    """The policy in force and those before it, numbered."""

    def __init__(self, policy: Policy, usage: Usage, ring: Ring) -> None:
        self.generation = 1
        """The number of the policy in force."""
        self._kept: deque[tuple[int, Policy]] = deque([(1, policy)], maxlen=_POLICIES)
        self._usage = usage
        self._ring = ring

    @property
    def policy(self) -> Policy:
        return self._kept[-1][1]

    def adopt(self, policy: Policy) -> None:
        self._usage.carry_over(self.policy, policy)
        self.generation += 1
        self._kept.append((self.generation, policy))
        self._ring.touch()  # calls that were refused may be allowed now

    def decided_by(self, generation: int) -> Policy | None:
        """Return the policy with that number; None if it is no longer kept."""
        return next((policy for number, policy in self._kept if number == generation), None)


class Expected:
    """A replay on its way to the listener."""

    def __init__(self, method: str, target: bytes, row: int) -> None:
        self.method = method
        self.target = target
        self.row = row
        self.arrival: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The id of the row that it makes."""


class Capture(Observer):
    """Watches every exchange."""

    def __init__(self, ring: Ring, usage: Usage, policies: Policies) -> None:
        self.ring = ring
        self.usage = usage
        self._policies = policies
        self._expected: list[Expected] = []
        self._fields: Fields = ()
        self._weight = 0
        self._content = b""

    def expect(self, expected: Expected) -> None:
        """Take the next request that matches as this replay."""
        self._expected.append(expected)

    def forget(self, expected: Expected) -> None:
        if expected in self._expected:
            self._expected.remove(expected)

    def begins(
        self, request: RequestHead, policy: Policy, decision: Decision, clock: float
    ) -> "Captured":
        """Watch a new request, and add its row."""
        exchange = Captured(self, request, clock)
        exchange.verdict = decision.verdict
        exchange.generation = self._policies.generation
        if isinstance(decision, Forward):
            exchange.sent = decision.request
            exchange.upstream = decision.route.upstream
        if self._expected:
            self._recognize(exchange)
        self.ring.add(exchange)
        if exchange.replay_of is not None:
            self.ring.settle()
            self._tell_replayer(exchange)
        return exchange

    def weight(self, fields: Fields) -> int:
        """Return the weight of a request's fields, which often are those of the last one."""
        if fields is not self._fields:
            self._fields = fields
            self._weight = weight(fields)
        return self._weight

    def shared(self, content: bytes) -> bytes:
        """Return the previous content instead if it is equal, so that a repeated response is kept
        once: that saves memory, and the time to write to it."""
        if len(content) > MOST_OF_BODY:
            return content
        if content != self._content:
            self._content = content
        return self._content

    # Replays.

    def _recognize(self, exchange: Exchange) -> None:
        request = exchange.request
        for expected in self._expected:
            if (expected.method, expected.target) == (request.method, request.target):
                exchange.replay_of = expected.row
                return

    def _tell_replayer(self, exchange: Exchange) -> None:
        for expected in self._expected:
            if expected.row == exchange.replay_of and not expected.arrival.done():
                expected.arrival.set_result(exchange.row)
                self._expected.remove(expected)
                return


class Captured(Exchange):
    """An exchange that records what happens to it."""

    __slots__ = ("_capture", "_reading", "_taps")

    def __init__(self, capture: Capture, request: RequestHead, clock: float) -> None:
        super().__init__(request, 0.0, clock)
        self._capture = capture
        self._taps: tuple[WebSocketTap, WebSocketTap] | None = None
        self._reading: EventReading | None = None
        self.head_bytes = capture.weight(request.fields) + len(request.target)

    def response_begins(
        self, head: ClientHead, first: bytes, came: UpstreamHead | None, waited: float
    ) -> None:
        capture = self._capture
        self.client_head = head
        self.status = head.status
        if came is None:
            self.answered_at = time.perf_counter()
        else:
            self.upstream_head = came
            self.answered_at = self.headed = self.clock + waited
        size, content_type = weight_and_type(head.fields)
        if head.status == 101:
            self._tap(head)
        elif came is not None and len(content_type) >= len(_EVENTS):
            self._reading = event_reading(head, content_type, self._note)
        kept = self.take(capture.shared(first)) if first and self.row else 0
        capture.ring.answered(self, size, kept)
        if self._reading is not None and first:
            self._reading.feed(first)

    def request_content(self, piece: Piece) -> None:
        if self._taps is not None:
            self._taps[0].feed(piece)
        elif self.status != 101 and self.row:
            self._capture.ring.grew(self, self.request_body.add(piece))

    def response_content(self, piece: Piece) -> None:
        if self._taps is not None:
            self._taps[1].feed(piece)
        elif self.status != 101 and self.row:
            self._capture.ring.grew(self, self.answer_body.add(piece))
            if self._reading is not None:
                self._reading.feed(piece)

    def over(self, record: ExchangeRecord) -> None:
        self.verdict = record.verdict
        self.status = record.status
        self.error = record.error
        self.detail = record.detail
        self.outcome = record.outcome
        self.ended = self.clock + record.duration_s
        self.is_over = True
        self._started = record.started
        self._taps = None
        self._reading = None
        if record.upstream_head is not None and self.upstream_head is None:
            self.upstream_head = record.upstream_head
            self.headed = self.clock + (record.upstream_s or 0.0)
        capture = self._capture
        if not record.verdict.allowed:
            capture.ring.settle()  # refusals are counted with their row's id
        capture.usage.add(self)
        capture.ring.changed(self)

    def _note(self, message: Message) -> None:
        if self.row:
            self._capture.ring.grew(self, self.note(message))
            self._capture.ring.changed(self)

    def _tap(self, head: ClientHead) -> None:
        """Tap the WebSocket that the connection has become."""
        if (value_of(head.fields, b"upgrade") or b"").lower() != b"websocket":
            return
        agreed = (value_of(head.fields, b"sec-websocket-extensions") or b"").decode("latin-1")
        self._taps = (
            WebSocketTap(Direction.TO_UPSTREAM, self._note, extensions=agreed),
            WebSocketTap(Direction.TO_CLIENT, self._note, extensions=agreed),
        )


class EventReading:
    """Reads a stream of events as it passes by, undoing its content coding."""

    __slots__ = ("_inflater", "_tap")

    def __init__(self, tap: EventTap, coding: bytes) -> None:
        self._tap: EventTap | None = tap
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS) if coding == b"gzip" else None

    def feed(self, piece: Piece) -> None:
        if self._tap is None:
            return
        if self._inflater is None:
            self._tap.feed(piece)
            return
        try:
            self._tap.feed(self._inflater.decompress(piece, _MOST_INFLATED))
        except zlib.error:
            self._tap = None
        else:
            if self._inflater.unconsumed_tail:
                self._tap = None  # no real event stream expands this much


def event_reading(head: ClientHead, content_type: bytes, note: Note) -> EventReading | None:
    """Return a reader for the events of a response; None if it is not an event stream."""
    if not content_type.lower().startswith(_EVENTS):
        return None
    coding = (value_of(head.fields, b"content-encoding") or b"").lower()
    return EventReading(EventTap(note), coding) if coding in (b"", b"gzip") else None
