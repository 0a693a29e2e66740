"""Records what happens in an exchange, while it happens, into the ring.

While nobody is looking, capturing only keeps references: to values that the exchange made
anyway, and to the beginning of its bodies.
"""

import asyncio
import time
import zlib
from collections import deque

from corsproxy.core.decision import Decision, Forward
from corsproxy.core.messages import ClientHead, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.exchanges import (
    Body,
    Direction,
    Exchange,
    Message,
    value_of,
)
from corsproxy.shell.admin.inspector.ring import Ring, weight
from corsproxy.shell.admin.inspector.taps import EventTap, Note, WebSocketTap
from corsproxy.shell.admin.inspector.usage import Usage
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.streams.piece import Piece

# An explanation needs the policy that decided. Each reload makes a new one; the latest are kept.
_POLICIES = 10
# Limit for one chunk of an event stream, inflated.
_MOST_INFLATED = 1024 * 1024


class Policies:
    """The policy in force and those before it, numbered."""

    def __init__(self, policy: Policy, usage: Usage, ring: Ring) -> None:
        self._kept: deque[tuple[int, Policy]] = deque([(1, policy)], maxlen=_POLICIES)
        self._usage = usage
        self._ring = ring

    @property
    def generation(self) -> int:
        return self._kept[-1][0]

    @property
    def policy(self) -> Policy:
        return self._kept[-1][1]

    def adopt(self, policy: Policy) -> None:
        self._usage.carry_over(self.policy, policy)
        self._kept.append((self.generation + 1, policy))
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


class Capture:
    """Watches every exchange; a `feed.watching.Observer`."""

    def __init__(self, ring: Ring, usage: Usage, policies: Policies) -> None:
        self.ring = ring
        self._usage = usage
        self._policies = policies
        self._expected: list[Expected] = []

    def expect(self, expected: Expected) -> None:
        """Take the next request that matches as this replay."""
        self._expected.append(expected)

    def forget(self, expected: Expected) -> None:
        if expected in self._expected:
            self._expected.remove(expected)

    def begins(self, request: RequestHead, policy: Policy) -> "Watch":
        """Watch a new request. Its row appears once the request has been decided."""
        return Watch(self, Exchange(request, time.time(), time.perf_counter()))

    def decided(self, exchange: Exchange, decision: Decision) -> None:
        """Add its row."""
        exchange.verdict = decision.verdict
        exchange.generation = self._policies.generation
        exchange.head_bytes = weight(exchange.request.fields) + len(exchange.request.target)
        if isinstance(decision, Forward):
            exchange.sent = decision.request
            exchange.upstream = decision.route.upstream
        if self._expected:
            self._recognize(exchange)
        self.ring.add(exchange)
        if exchange.replay_of is not None:
            self.ring.settle()
            self._tell_replayer(exchange)

    def over(self, exchange: Exchange, record: ExchangeRecord) -> None:
        """Count the finished exchange."""
        exchange.verdict = record.verdict
        exchange.status = record.status
        exchange.error = record.error
        exchange.detail = record.detail
        exchange.outcome = record.outcome
        exchange.ended = exchange.clock + record.duration_s
        exchange.is_over = True
        if not record.verdict.allowed:
            self.ring.settle()  # refusals are counted with their row's id
        self._usage.add(exchange)
        self.ring.changed(exchange)

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


class Watch:
    """One exchange that is being watched; a `feed.watching.Watch`."""

    __slots__ = ("_capture", "_exchange", "_reading", "_ring", "_taps", "marks")

    def __init__(self, capture: Capture, exchange: Exchange) -> None:
        self._capture = capture
        self._ring = capture.ring
        self._exchange = exchange
        self._taps: tuple[WebSocketTap, WebSocketTap] | None = None
        self._reading: EventReading | None = None
        self.marks = exchange.marks

    def decided(self, decision: Decision) -> None:
        self._capture.decided(self._exchange, decision)

    def upstream_head(self, head: UpstreamHead) -> None:
        self._exchange.upstream_head = head
        self._exchange.headed = time.perf_counter()

    def response_head(self, head: ClientHead) -> None:
        exchange = self._exchange
        exchange.client_head = head
        exchange.status = head.status
        exchange.answered_at = time.perf_counter()
        self._ring.headed(exchange, weight(head.fields))
        if head.status == 101:
            self._tap(head)
        elif exchange.upstream_head is not None:
            self._reading = event_reading(head, self._note)
        self._ring.changed(exchange)

    def request_content(self, piece: Piece) -> None:
        if self._taps is not None:
            self._taps[0].feed(piece)
        elif self._exchange.status != 101:
            self._keep(self._exchange.request_body, piece)

    def response_content(self, piece: Piece) -> None:
        if self._taps is not None:
            self._taps[1].feed(piece)
        elif self._exchange.status != 101:
            self._keep(self._exchange.answer_body, piece)
            if self._reading is not None:
                self._reading.feed(piece)

    def ended(self, record: ExchangeRecord) -> None:
        self._capture.over(self._exchange, record)

    def _keep(self, body: Body, piece: Piece) -> None:
        kept = body.add(piece)
        if kept:
            self._ring.grew(self._exchange, kept)

    def _note(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.row:
            self._ring.grew(exchange, exchange.note(message))
            self._ring.changed(exchange)

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
                self._tap = None  # no real event stream has this much


def event_reading(head: ClientHead, note: Note) -> EventReading | None:
    """Return a reader for the events of a response; None if it is no stream of events."""
    content_type = value_of(head.fields, b"content-type") or b""
    if not content_type.lower().startswith(b"text/event-stream"):
        return None
    coding = (value_of(head.fields, b"content-encoding") or b"").lower()
    return EventReading(EventTap(note), coding) if coding in (b"", b"gzip") else None
