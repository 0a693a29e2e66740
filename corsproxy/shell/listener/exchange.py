"""One exchange: ask the core, and obey.

    Answer    respond here and now
    Forward   ask the upstream; stream its answer as it arrives; after a 101, bytes both ways

Until a response head is sent, every failure becomes an answer that the page can read.
After it, every failure drops the connection, because a cut response must never look
complete. Nothing is decided here, and no exchange ends without a record.
"""

import asyncio
import time
from contextlib import suppress

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, complete, decide, fail, outlook_of
from corsproxy.core.messages import ClientHead, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.core.refusals import refuse
from corsproxy.core.verdicts import Code, Verdict
from corsproxy.errors import UpstreamError
from corsproxy.http1.chunked import LAST_CHUNK, chunk
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.response_head import BARE_FAULT, head_bytes
from corsproxy.shell.feed.records import CLIENT_LEFT, ExchangeRecord
from corsproxy.shell.listener.client_body import ClientBody
from corsproxy.shell.listener.client_stream import ClientStream
from corsproxy.shell.listener.connection import Connection
from corsproxy.shell.listener.content import Content
from corsproxy.shell.listener.drain_body import can_keep, drain_body
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.link import logger
from corsproxy.shell.streams.piece import PIECE_SIZE, TURN, Piece
from corsproxy.shell.streams.tunnel import ByteTunnel
from corsproxy.shell.streams.websocket_tunnel import WebSocketTunnel
from corsproxy.shell.upstream.upstream import UpstreamResponse


class Exchange:
    """An exchange in progress."""

    __slots__ = (
        "_body",
        "_connection",
        "_detail",
        "_error",
        "_forwarded",
        "_head",
        "_message",
        "_received",
        "_sent",
        "_started",
        "_status",
        "_stopped",
        "_upstream_head",
        "_upstream_s",
        "_verdict",
        "content",
        "keep_alive",
        "tunnel",
    )

    def __init__(
        self,
        message: RequestMessage,
        content: Content,
        connection: Connection,
    ) -> None:
        self.content = content
        self.keep_alive = False
        self.tunnel: ByteTunnel | None = None
        self._message = message
        self._connection = connection
        self._body: ClientBody | None = None
        self._forwarded: Forward | None = None
        self._upstream_head: UpstreamHead | None = None
        self._head: ClientHead | None = None
        self._verdict: Verdict | None = None
        self._started = 0.0
        self._upstream_s: float | None = None
        self._status = CLIENT_LEFT
        self._stopped = False
        self._sent = 0
        self._received = 0
        self._error: str | None = None
        self._detail: str | None = None

    @property
    def is_endless(self) -> bool:
        return self.tunnel is not None or (self._head is not None and _is_event_stream(self._head))

    @property
    def is_parting(self) -> bool:
        return self.tunnel is not None and self.tunnel.is_parting

    def part(self) -> bool:
        return self.tunnel is not None and self.tunnel.part()

    def stop(self) -> bool:
        self._stopped = self._head is None
        return self._stopped

    async def run(self) -> bool:
        """Carry the exchange out, whatever becomes of it; returns whether the connection
        may be used again."""
        connection = self._connection
        service = connection.service
        policy = service.policy
        request = self._message.head
        is_told = service.journal is not None or service.counts is not None
        started = time.perf_counter() if is_told else 0.0
        self._started = started
        try:
            await self._obey(policy, request)
        except ClientLeftError:
            self._cut(connection.ended_by or "client-left")
        except asyncio.CancelledError:
            if not self._stopped or connection.transport is None:
                self._cut(connection.ended_by or "client-left")
                raise
            self._answer_stopped(policy, request)
        except Exception:  # noqa: BLE001 - a bug of ours must cost one exchange, and be seen
            try:
                self._answer_fault(policy, request)
            except Exception:  # noqa: BLE001 - not even that can be said
                self._answer_barely()
                logger.exception("fault in an exchange, and in its answer")
            else:
                logger.exception("fault in an exchange")
        finally:
            # A reload may have begun to want records in between.
            if started:
                try:
                    self._record(policy, request)
                except Exception:  # noqa: BLE001 - the exchange is over, whatever is told of it
                    logger.exception("fault in the record of an exchange")
        if not self.content.has_arrived and self._error is None:
            await self._end_request()
        return self.keep_alive

    async def _obey(self, policy: Policy, request: RequestHead) -> None:
        decision: Answer | Forward
        if self._connection.is_full:
            decision = refuse(policy, request, Code.CONNECTIONS_FULL)
        elif not self._message.is_known:
            decision = refuse(policy, request, Code.VERSION_NOT_SUPPORTED)
        elif self._message.precedent is not None:
            decision = self._message.precedent.decide(policy, request)
        else:
            decision = decide(policy, request)
        self._verdict = decision.verdict
        if isinstance(decision, Answer):
            await self._answer(decision)
            return
        self._forwarded = decision
        refused = self._prepare_body(decision)
        if refused is not None:
            await self._refuse(decision, refused)
            return
        try:
            await self._forward(decision)
        except BodyRefusedError as error:
            if self._head is None:
                await self._refuse(decision, error.code)
            else:
                self._cut(str(error.code))

    # To the upstream.

    def _prepare_body(self, exchange: Forward) -> Code | None:
        """Make the body to send; returns why the request goes no further, or None."""
        if exchange.request.framing is Framing.NONE:
            if exchange.request.upgrade and not self._connection.can_switch:
                return Code.BAD_REQUEST
            return None
        limits = exchange.policy.limits
        self._body = ClientBody(self._connection, self.content, exchange.received, limits)
        if (
            limits.body is not None
            and exchange.request.framing is Framing.LENGTH
            and self._message.length is not None
            and self._message.length > limits.body
        ):
            return Code.BODY_TOO_LARGE
        broken = self.content.failure
        # Content that came with the head and is broken: the upstream is not asked at all.
        return broken.code if isinstance(broken, BodyRefusedError) else None

    async def _forward(self, exchange: Forward) -> None:
        connection, limits = self._connection, exchange.policy.limits
        try:
            response = await connection.service.upstream.send(
                exchange.route, exchange.request, self._body, limits, connection.bond
            )
        except UpstreamError as error:
            await self._fail(exchange, error)
            return
        if self._started:
            self._upstream_s = time.perf_counter() - self._started
        self._upstream_head = response.head
        try:
            head = complete(exchange, response.head)
            if isinstance(head, Answer):
                self._verdict = head.verdict
                await self._answer(head)
            elif head.status == 101:
                await self._tunnel(head, response)
            else:
                is_all = self._send_first(head, response)
                if connection.writing_paused:
                    await connection.drained()
                if not is_all:
                    await self._stream(head, response)
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
        self._send_head(answer.head, answer.body, close=answer.close)
        if self._connection.writing_paused:
            await self._connection.drained()

    def _send_first(self, head: ClientHead, response: UpstreamResponse) -> bool:
        """Send the head, and what is there of the content; returns whether that is all."""
        data = response.take()
        is_all = response.at_end
        if head.framing is Framing.CHUNKED:
            if data:
                data = chunk(data)
            if is_all:
                data += LAST_CHUNK
        self._send_head(head, data)
        return is_all

    async def _stream(self, head: ClientHead, response: UpstreamResponse) -> None:
        """Send the rest as it arrives."""
        connection = self._connection
        chunked = head.framing is Framing.CHUNKED
        most, carried = PIECE_SIZE, 0
        while piece := await response.read(most):
            self._send(chunk(piece) if chunked else piece)
            await connection.drained()
            most = connection.room(len(piece))
            carried += len(piece)
            if carried >= TURN:
                carried = 0
                await asyncio.sleep(0)
        if chunked:
            self._send(LAST_CHUNK)

    async def _tunnel(self, head: ClientHead, response: UpstreamResponse) -> None:
        self._send_head(head, b"", close=True)
        client = ClientStream(self._connection)
        make = WebSocketTunnel if _is_websocket(head) else ByteTunnel
        self.tunnel = make(client, response.switch())
        try:
            await self.tunnel.run()
        finally:
            self._received = client.received
            self._sent += client.sent
        # Where it was told to end, it has ended well, and yet not by itself.
        self._error = self._connection.ended_by

    def _send_head(self, head: ClientHead, first: bytes, *, close: bool = False) -> None:
        self.keep_alive = not (
            close
            or self._message.should_close
            or head.framing is Framing.CLOSE
            or self._connection.service.draining
            or not (
                self.content.has_arrived
                or can_keep(
                    self._message, self.content, head.status, forwarded=self._body is not None
                )
            )
        )
        minor_version = self._message.head.minor_version
        data = head_bytes(head, minor_version, keep_alive=self.keep_alive, content=first)
        self._head = head
        self._status = head.status
        self._send(data)

    def _send(self, data: Piece) -> None:
        self._connection.send(data)
        self._sent += len(data)

    # The end.

    async def _end_request(self) -> None:
        """Get past what is left of the request's content, or end the connection behind it."""
        connection, content = self._connection, self.content
        if self.keep_alive:
            # What was being forwarded, the upstream's connection may still be reading.
            self.keep_alive = self._body is None and await drain_body(connection, content)
        if not self.keep_alive:
            connection.end_in_stages()
            await connection.ended()

    def _cut(self, error: str) -> None:
        """End an exchange that did not come to its end."""
        self._error = error
        self.keep_alive = False
        shows = self._head is not None and self._head.framing in (Framing.LENGTH, Framing.CHUNKED)
        self._connection.abort(reset=not shows)

    def _answer_fault(self, policy: Policy, request: RequestHead) -> None:
        answer = refuse(policy, request, Code.INTERNAL)
        self._verdict = answer.verdict
        if self._head is not None:
            self._cut(str(Code.INTERNAL))
            return
        try:
            self._send_head(answer.head, answer.body, close=True)
        except ClientLeftError:
            self._cut("client-left")

    def _answer_stopped(self, policy: Policy, request: RequestHead) -> None:
        detail = "The proxy stops, and had no time left to wait for the upstream's answer."
        answer = refuse(policy, request, Code.DRAINING, detail)
        self._verdict = answer.verdict
        self._detail = answer.detail
        self._send_head(answer.head, answer.body, close=True)

    def _answer_barely(self) -> None:
        if self._head is not None:
            self._cut(str(Code.INTERNAL))
            return
        self.keep_alive = False
        self._status = 500
        with suppress(ClientLeftError):
            self._send(BARE_FAULT)

    def _record(self, policy: Policy, request: RequestHead) -> None:
        service = self._connection.service
        journal, verdict = service.journal, self._verdict
        if verdict is None:
            return
        outlook = outlook_of(policy, request, verdict, self._forwarded)
        outcome = outlook.of(self._head)
        if journal is None:
            if service.counts is not None:
                service.counts.count(
                    request.method, verdict, self._status, outcome, self._upstream_s, self._error
                )
            return
        duration = time.perf_counter() - self._started
        record = ExchangeRecord(
            request,
            policy,
            verdict,
            self._status,
            started=time.time() - duration,
            duration_s=duration,
            sent=self._sent,
            received=self._received if self._body is None else self._body.received,
            upstream_s=self._upstream_s,
            error=self._error,
            detail=self._detail,
            forward=self._forwarded,
            upstream_head=self._upstream_head,
            response=self._head,
            outcome=outcome,
            call=outlook.call,
        )
        journal.exchange(record)


def make_exchange(message: RequestMessage, content: Content, connection: Connection) -> Exchange:
    """Return a new exchange: the class itself would be a slower thing to call."""
    return Exchange(message, content, connection)


def _is_websocket(head: ClientHead) -> bool:
    return any(
        name.lower() == b"upgrade" and value.lower() == b"websocket" for name, value in head.fields
    )


def _is_event_stream(head: ClientHead) -> bool:
    """Whether the response is a stream of server-sent events (HTML, 9.2) whose end, where
    it is cut, does not look like an end."""
    return head.framing is not Framing.CLOSE and any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in head.fields
    )
