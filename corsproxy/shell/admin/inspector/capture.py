"""Notes what happens in an exchange, while it happens, into the ring.

While nobody looks, noting means to keep references: what goes through here are values that
the exchange made anyway, and the beginning of its bodies.
"""

import asyncio
import time
import zlib
from collections import deque

from corsproxy.core.decision import Forward
from corsproxy.core.messages import ClientHead, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Verdict
from corsproxy.shell.admin.inspector.exchanges import (
    Body,
    Direction,
    Exchange,
    Message,
    value_of,
)
from corsproxy.shell.admin.inspector.ring import Ring, weight
from corsproxy.shell.admin.inspector.taps import EventTap, WebSocketTap
from corsproxy.shell.admin.inspector.usage import Usage
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.streams.piece import Piece

# Explanations ask the policy that decided. Each reload makes another; the latest are kept.
_POLICIES = 3


class Policies:
    """The policy in force and those before it, numbered."""

    def __init__(self, policy: Policy, usage: Usage) -> None:
        self._kept: deque[tuple[int, Policy]] = deque([(1, policy)], maxlen=_POLICIES)
        self._usage = usage

    @property
    def generation(self) -> int:
        return self._kept[-1][0]

    @property
    def policy(self) -> Policy:
        return self._kept[-1][1]

    def adopt(self, policy: Policy) -> None:
        self._usage.carry_over(self.policy, policy)
        self._kept.append((self.generation + 1, policy))

    def decided_by(self, generation: int) -> Policy | None:
        """Return the policy of that number; None where it is not kept any more."""
        return next((policy for number, policy in self._kept if number == generation), None)


class Expected:
    """A replay that is on its way to the listener."""

    def __init__(self, method: str, target: bytes, row: int) -> None:
        self.method = method
        self.target = target
        self.row = row
        self.arrival: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The id of the row that it makes."""


class Capture:
    """Watches every exchange."""

    def __init__(self, ring: Ring, usage: Usage, policies: Policies) -> None:
        self._ring = ring
        self._usage = usage
        self._policies = policies
        self._expected: list[Expected] = []

    def expect(self, expected: Expected) -> None:
        """The next request that looks like it is a replay."""
        self._expected.append(expected)

    def forget(self, expected: Expected) -> None:
        if expected in self._expected:
            self._expected.remove(expected)

    def begin(
        self, request: RequestHead, verdict: Verdict, forward: Forward | None, clock: float
    ) -> "Watch":
        """A request has arrived and is decided about. `clock` is `time.perf_counter`'s."""
        exchange = Exchange(request, time.time(), clock)
        exchange.verdict = verdict
        exchange.generation = self._policies.generation
        exchange.head_bytes = weight(request.fields) + len(request.target)
        if forward is not None:
            exchange.sent = forward.request
            exchange.upstream = forward.route.upstream
        if self._expected:
            self._recognize(exchange)
        self._ring.add(exchange)
        if exchange.replay_of is not None:
            self._tell_replayer(exchange)
        return Watch(self, self._ring, exchange)

    def over(self, exchange: Exchange, record: ExchangeRecord) -> None:
        """The exchange is over, whichever way."""
        exchange.verdict = record.verdict
        exchange.status = record.status
        exchange.error = record.error
        exchange.detail = record.detail
        exchange.marks.ended = exchange.marks.started + record.duration_s
        exchange.is_over = True
        self._usage.add(exchange)
        self._ring.changed(exchange)

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
    """One exchange that is being watched."""

    __slots__ = ("_capture", "_events", "_exchange", "_inflater", "_ring")

    def __init__(self, capture: Capture, ring: Ring, exchange: Exchange) -> None:
        self._capture = capture
        self._ring = ring
        self._exchange = exchange
        self._events: EventTap | None = None
        self._inflater: zlib._Decompress | None = None

    def to_upstream(self, piece: Piece) -> None:
        """A piece of the request's content."""
        self._keep(self._exchange.request_body, piece)

    def headed(self, head: UpstreamHead) -> None:
        """The upstream's response head is there."""
        self._exchange.upstream_head = head
        self._exchange.marks.headed = time.perf_counter()

    def answered(self, head: ClientHead, keep_alive: bool) -> None:
        """A response head goes to the client."""
        exchange = self._exchange
        exchange.client_head = head
        exchange.keeps_alive = keep_alive
        exchange.status = head.status
        exchange.marks.answered = time.perf_counter()
        self._ring.headed(exchange, weight(head.fields))
        if exchange.upstream_head is not None:
            self._listen_for_events(head)
        self._ring.changed(exchange)

    def to_client(self, piece: Piece) -> None:
        """A piece of the response's content."""
        self._keep(self._exchange.answer_body, piece)
        if self._events is not None and piece:
            self._feed_events(piece)

    def taps(self) -> tuple[WebSocketTap, WebSocketTap]:
        """The client's connection has become a WebSocket: what listens to it, to the upstream
        and to the client."""
        head = self._exchange.client_head
        extensions = b"" if head is None else value_of(head.fields, b"sec-websocket-extensions")
        agreed = (extensions or b"").decode("latin-1")
        return (
            WebSocketTap(Direction.TO_UPSTREAM, self._note, extensions=agreed),
            WebSocketTap(Direction.TO_CLIENT, self._note, extensions=agreed),
        )

    def over(self, record: ExchangeRecord) -> None:
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

    def _listen_for_events(self, head: ClientHead) -> None:
        content_type = value_of(head.fields, b"content-type") or b""
        if not content_type.lower().startswith(b"text/event-stream"):
            return
        coding = (value_of(head.fields, b"content-encoding") or b"").lower()
        if coding == b"gzip":
            self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif coding:
            return
        self._events = EventTap(self._note)

    def _feed_events(self, piece: Piece) -> None:
        assert self._events is not None  # noqa: S101 - asked by `to_client`
        if self._inflater is None:
            self._events.feed(piece)
            return
        try:
            self._events.feed(self._inflater.decompress(piece))
        except zlib.error:
            self._events = None
