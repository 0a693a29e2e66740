"""One exchange: ask the core, and obey.

    Answer    respond here and now
    Forward   ask the upstream; stream its answer as it arrives; after a 101, bytes both ways

Until a response head is sent, every failure becomes an answer that the page can read.
After that, every failure drops the connection, because a truncated response must never look
complete. Nothing is decided here, and every exchange ends with a record. The client's protocol is
hidden behind `ClientExchange`.
"""

import asyncio
import logging
import time
from typing import Final

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, complete, decide, fail, outlook_of
from corsproxy.core.messages import ClientHead, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.core.refusals import refuse
from corsproxy.core.verdicts import Code, Verdict
from corsproxy.errors import UpstreamError
from corsproxy.shell.feed.records import CLIENT_LEFT, ExchangeRecord
from corsproxy.shell.feed.watching import Watch, WatchedBody, WatchedStream
from corsproxy.shell.listener.client_exchange import ClientExchange
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.last_decision import LastDecision
from corsproxy.shell.listener.service import Service
from corsproxy.shell.streams.piece import PIECE_SIZE, TURN
from corsproxy.shell.streams.seams import ByteStream, RequestBody
from corsproxy.shell.streams.tunnel import ByteTunnel
from corsproxy.shell.streams.websocket_tunnel import WebSocketTunnel
from corsproxy.shell.upstream.upstream import UpstreamResponse

_UPSTREAM_HAD_BEGUN: Final = "The upstream had begun to get the request when it was refused."

# Looked up once: an attribute of a module costs as much as the call.
_clock: Final = time.perf_counter
_time: Final = time.time

logger = logging.getLogger("corsproxy")


class Exchange:
    """An exchange in progress."""

    __slots__ = (
        "_client", "_detail", "_error", "_forwarded", "_head", "_last", "_service", "_started",
        "_status", "_stopped", "_upstream_head", "_upstream_s", "_verdict", "_watch", "tunnel",
    )  # fmt: skip

    def __init__(
        self, client: ClientExchange, service: Service, last: LastDecision | None = None
    ) -> None:
        """`last` is the connection's, where its requests may repeat."""
        self.tunnel: ByteTunnel | None = None
        self._client: Final = client
        self._service: Final = service
        self._last: Final = last
        self._watch: Watch | None = None
        self._forwarded: Forward | None = None
        self._upstream_head: UpstreamHead | None = None
        self._head: ClientHead | None = None
        self._verdict: Verdict | None = None
        self._started = 0.0
        self._upstream_s: float | None = None
        self._status = CLIENT_LEFT
        self._stopped = False
        self._error: str | None = None
        self._detail: str | None = None

    @property
    def is_endless(self) -> bool:
        """Whether it ends only when it is ended: a tunnel, an event stream."""
        return self.tunnel is not None or (self._head is not None and _is_event_stream(self._head))

    @property
    def is_parting(self) -> bool:
        """Whether it is about to end because `part` was called."""
        return self.tunnel is not None and self.tunnel.is_parting

    def part(self) -> bool:
        """Begin to close a tunnel in its protocol's own way, and return whether it has one.
        Called once."""
        return self.tunnel is not None and self.tunnel.part()

    def stop(self) -> bool:
        """Ask for our own answer in place of the upstream's, to be sent when `run` is
        cancelled; return whether one can still be sent."""
        self._stopped = self._head is None
        return self._stopped

    async def run(self) -> None:
        """Carry out the exchange."""
        client, service = self._client, self._service
        policy, request = service.policy, client.head
        if service.wants_records:
            self._started = _clock()
        try:
            await self._obey(policy, request)
        except ClientLeftError:
            self._cut(client.ended_by or "client-left")
        except asyncio.CancelledError:
            if not self._stopped or client.is_gone:
                self._cut(client.ended_by or "client-left")
                raise
            self._answer_stopped(policy, request)
        except Exception:  # noqa: BLE001 - a bug must cost only one exchange, and be logged
            try:
                self._answer_fault(policy, request)
            except Exception:
                self._answer_barely()
                logger.exception("fault in an exchange, and in its answer")
            else:
                logger.exception("fault in an exchange")
        finally:
            # If a reload has turned records on meanwhile, there is none for this exchange.
            if self._started:
                try:
                    self._record(policy, request)
                except Exception:
                    logger.exception("fault in the record of an exchange")

    async def _obey(self, policy: Policy, request: RequestHead) -> None:
        client = self._client
        decision: Answer | Forward
        if client.refusal is not None:
            decision = refuse(policy, request, client.refusal)
        elif self._last is not None:
            decision = self._last.decide(policy, request)
        else:
            decision = decide(policy, request)
        self._verdict = decision.verdict
        if self._started and self._service.observer is not None:
            self._watch = self._service.observer.begins(request, policy, decision, self._started)
        if isinstance(decision, Answer):
            self._send_head(decision.head, decision.body, is_all=True, close=decision.close)
            if client.is_writing_paused:
                await client.drained()
            return
        self._forwarded = decision
        refused = self._doubt(decision)
        if refused is not None:
            await self._refuse(decision, refused)
            return
        try:
            await self._forward(decision)
        except BodyRefusedError as error:
            if self._head is None:
                self._detail = _UPSTREAM_HAD_BEGUN
                await self._refuse(decision, error.code)
            else:
                self._cut(str(error.code))

    # To the upstream.

    def _doubt(self, exchange: Forward) -> Code | None:
        """Return why the request is not forwarded, or None."""
        client = self._client
        if exchange.request.framing is Framing.NONE:
            # A request to switch protocols must be the last thing that was sent.
            return Code.BAD_REQUEST if exchange.request.upgrade and not client.can_switch else None
        most = exchange.policy.limits.body
        if most is not None and client.length is not None and client.length > most:
            return Code.BODY_TOO_LARGE
        # Malformed content that came with the head: the upstream is not asked.
        return client.broken

    def _body(self, exchange: Forward) -> RequestBody | None:
        if exchange.request.framing is Framing.NONE:
            return None
        body = self._client.body(exchange.policy.limits)
        return body if self._watch is None else WatchedBody(body, self._watch)

    async def _forward(self, exchange: Forward) -> None:
        client = self._client
        body = self._body(exchange)
        try:
            response = await self._service.upstream.send(
                exchange.route,
                exchange.request,
                body,
                exchange.policy.limits,
                client.bond,
                self._watch,
            )
        except UpstreamError as error:
            await self._fail(exchange, error)
            return
        if self._started:
            self._upstream_s = _clock() - self._started
        self._upstream_head = response.head
        try:
            head = complete(exchange, response.head)
            if isinstance(head, Answer):
                self._verdict = head.verdict
                await self._answer(head)
            elif head.status == 101:
                await self._tunnel(head, response)
            else:
                # Most responses have arrived completely by now, and need no further coroutine.
                is_all = self._send_first(head, response)
                if client.is_writing_paused:
                    await client.drained()
                if not is_all:
                    await self._stream(exchange, head, response)
        except UpstreamError as error:
            self._detail = error.detail
            self._cut(str(error.fault))
        finally:
            response.abort()

    async def _fail(self, exchange: Forward, error: UpstreamError) -> None:
        answer = fail(exchange, error)
        self._verdict = answer.verdict
        self._detail = error.detail
        await self._answer(answer)

    async def _refuse(self, exchange: Forward, code: Code) -> None:
        answer = refuse(exchange.policy, exchange.received, code)
        self._verdict = answer.verdict
        await self._answer(answer)

    # To the client.

    async def _answer(self, answer: Answer) -> None:
        self._send_head(answer.head, answer.body, is_all=True, close=answer.close)
        if self._client.is_writing_paused:
            await self._client.drained()

    def _send_first(self, head: ClientHead, response: UpstreamResponse) -> bool:
        """Send the head and the content that has arrived; return whether that is all."""
        first, is_all = response.take(), response.at_end
        self._send_head(head, first, is_all=is_all)
        return is_all

    async def _stream(
        self, exchange: Forward, head: ClientHead, response: UpstreamResponse
    ) -> None:
        """Send the rest of the content as it arrives, and announce event streams."""
        streams = self._service.streams
        if streams is not None and self._started and _is_event_stream(head):
            with streams.open(self._made(exchange.policy, self._client.head, exchange.verdict)):
                await self._send_rest(response)
        else:
            await self._send_rest(response)

    async def _send_rest(self, response: UpstreamResponse) -> None:
        client, watch = self._client, self._watch
        most, carried = PIECE_SIZE, 0
        while piece := await response.read(most):
            if watch is not None:
                watch.response_content(piece)
            client.send_body(piece)
            if client.is_writing_paused:
                await client.drained()
            most = client.room(len(piece))
            carried += len(piece)
            if carried >= TURN:
                carried = 0
                await asyncio.sleep(0)
        client.finish()
        if client.is_writing_paused:
            await client.drained()

    async def _tunnel(self, head: ClientHead, response: UpstreamResponse) -> None:
        self._send_head(head, b"", is_all=False, close=True)
        stream: ByteStream = self._client.switch()
        if self._watch is not None:
            stream = WatchedStream(stream, self._watch)
        make = WebSocketTunnel if _is_websocket(head) else ByteTunnel
        self.tunnel = make(stream, response.switch())
        await self.tunnel.run()
        # If the tunnel was told to close, that is noted, although it closed properly.
        self._error = self._client.ended_by

    def _send_head(
        self, head: ClientHead, first: bytes, *, is_all: bool, close: bool = False
    ) -> None:
        self._client.send_head(head, first, is_all=is_all, close=close)
        self._head = head
        self._status = head.status
        if self._watch is not None:
            self._watch.response_begins(head, first, self._upstream_head, self._upstream_s or 0.0)

    # The end.

    def _cut(self, error: str) -> None:
        """Abort the exchange."""
        self._error = error
        self._client.abort()

    def _answer_fault(self, policy: Policy, request: RequestHead) -> None:
        answer = refuse(policy, request, Code.INTERNAL)
        self._verdict = answer.verdict
        if self._head is not None:
            self._cut(str(Code.INTERNAL))
            return
        try:
            self._send_head(answer.head, answer.body, is_all=True, close=True)
        except ClientLeftError:
            self._cut("client-left")

    def _answer_stopped(self, policy: Policy, request: RequestHead) -> None:
        detail = "The proxy is stopping and could not wait any longer for the upstream's response."
        answer = refuse(policy, request, Code.DRAINING, detail)
        self._verdict = answer.verdict
        self._detail = answer.detail
        self._send_head(answer.head, answer.body, is_all=True, close=True)

    def _answer_barely(self) -> None:
        if self._head is not None:
            self._cut(str(Code.INTERNAL))
            return
        self._status = 500
        self._client.send_bare_fault()

    def _record(self, policy: Policy, request: RequestHead) -> None:
        if self._verdict is None:
            return
        record = self._made(policy, request, self._verdict)
        if self._service.journal is not None:
            self._service.journal.exchange(record)
        if self._watch is not None:
            self._watch.over(record)

    def _made(self, policy: Policy, request: RequestHead, verdict: Verdict) -> ExchangeRecord:
        """Return the record of the exchange, as if it ended now."""
        outlook = outlook_of(policy, request, verdict, self._forwarded)
        duration = _clock() - self._started
        return ExchangeRecord(
            request,
            policy,
            verdict,
            self._status,
            started=_time() - duration,
            duration_s=duration,
            sent=self._client.sent,
            received=self._client.received,
            upstream_s=self._upstream_s,
            error=self._error,
            detail=self._detail,
            forward=self._forwarded,
            upstream_head=self._upstream_head,
            response=self._head,
            outcome=outlook.of(self._head),
            outlook=outlook,
        )


def _is_websocket(head: ClientHead) -> bool:
    return any(
        name.lower() == b"upgrade" and value.lower() == b"websocket" for name, value in head.fields
    )


def _is_event_stream(head: ClientHead) -> bool:
    """Whether the response is a stream of server-sent events (HTML, 9.2) that can be cut
    without looking complete."""
    return head.framing is not Framing.CLOSE and any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in head.fields
    )
