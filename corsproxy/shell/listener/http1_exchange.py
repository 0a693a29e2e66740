"""One request and its response on an HTTP/1.1 connection; a `ClientExchange`.

What it promises: framing and persistence are decided here and nowhere else (RFC 9112, 6 and 9);
content that nobody read is never taken for the next request.
"""

from contextlib import suppress
from typing import Final

from corsproxy.core.messages import ClientHead, Framing
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.chunked import LAST_CHUNK, chunk
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.response_head import BARE_FAULT, CONTINUE, head_bytes
from corsproxy.shell.listener.client_body import ClientBody
from corsproxy.shell.listener.client_exchange import ClientExchange
from corsproxy.shell.listener.client_stream import ClientStream
from corsproxy.shell.listener.content import Content
from corsproxy.shell.listener.drain_body import can_keep, drain_body
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.request_queue import RequestQueue
from corsproxy.shell.listener.service import Service
from corsproxy.shell.listener.wire import Wire
from corsproxy.shell.streams.piece import Piece
from corsproxy.shell.upstream.bond import Bond


class Http1Exchange(ClientExchange):
    """The client's side of one exchange."""

    __slots__ = (
        "_awaits_continue",
        "_body",
        "_framing",
        "_is_cut",
        "_message",
        "_queue",
        "_sent",
        "_service",
        "_tunnel",
        "_wire",
        "content",
        "keep_alive",
    )

    def __init__(
        self,
        message: RequestMessage,
        content: Content,
        wire: Wire,
        queue: RequestQueue,
        service: Service,
        bond: Bond,
        refusal: Code | None,
    ) -> None:
        if refusal is None and not message.is_known:
            refusal = Code.VERSION_NOT_SUPPORTED
        super().__init__(message.head, bond, message.length, refusal)
        self.content: Final = content
        self.keep_alive = False
        """Whether another request may follow; known once the head is sent."""
        self._message: Final = message
        self._wire: Final = wire
        self._queue: Final = queue
        self._service: Final = service
        self._body: ClientBody | None = None
        self._tunnel: ClientStream | None = None
        # The client may be holding its content back for a 100 (RFC 9110, 10.1.1).
        self._awaits_continue = message.expects and message.head.minor_version > 0
        self._framing: Framing | None = None  # of the response, once its head is sent
        self._is_cut = False
        self._sent = 0

    # The request's content.

    def body(self, limits: Limits) -> ClientBody:
        self._body = ClientBody(self, self.content, limits)
        return self._body

    @property
    def received(self) -> int:
        if self._tunnel is not None:
            return self._tunnel.received
        return 0 if self._body is None else self._body.received

    @property
    def sent(self) -> int:
        return self._sent if self._tunnel is None else self._sent + self._tunnel.sent

    @property
    def broken(self) -> Code | None:
        failure = self.content.failure
        return failure.code if isinstance(failure, BodyRefusedError) else None

    def await_content(self, seconds: float) -> None:
        """The upstream wants content, which the client has to send within `seconds`. Raises
        ClientLeftError."""
        if self._wire.is_gone:
            raise ClientLeftError
        if self._awaits_continue:
            self._awaits_continue = False
            if not self.content.received and not self.content.has_ended:
                self._wire.send(CONTINUE)
        self._wire.reading.set(seconds)

    def content_came(self) -> None:
        """The client is no longer waited for."""
        self._wire.reading.clear()

    # The response.

    def send_head(
        self, head: ClientHead, content: bytes = b"", *, is_all: bool, close: bool = False
    ) -> None:
        if head.framing is Framing.CHUNKED:
            if content:
                content = chunk(content)
            if is_all:
                content += LAST_CHUNK
        self.keep_alive = not (
            close
            or self._message.should_close
            or head.status == 101
            or head.framing is Framing.CLOSE
            or self._service.draining
            or not (self.content.has_ended or self._can_keep(head.status))
        )
        minor_version = self.head.minor_version
        data = head_bytes(head, minor_version, keep_alive=self.keep_alive, content=content)
        self._framing = head.framing
        self._send(data)

    def _can_keep(self, status: int) -> bool:
        return can_keep(self._message, self.content, status, forwarded=self._body is not None)

    def send_body(self, piece: Piece) -> None:
        self._send(chunk(piece) if self._framing is Framing.CHUNKED else piece)

    def finish(self) -> None:
        if self._framing is Framing.CHUNKED:
            self._send(LAST_CHUNK)

    def _send(self, data: Piece) -> None:
        self._wire.send(data)
        self._sent += len(data)

    @property
    def is_writing_paused(self) -> bool:
        return self._wire.is_writing_paused

    async def drained(self) -> None:
        await self._wire.drained()

    def room(self, last: int) -> int:
        return self._wire.room(last)

    def send_bare_fault(self) -> None:
        self.keep_alive = False
        with suppress(ClientLeftError):
            self._send(BARE_FAULT)

    def abort(self) -> None:
        self._is_cut = True
        self.keep_alive = False
        shows = self._framing is Framing.LENGTH or self._framing is Framing.CHUNKED
        self._wire.abort(reset=not shows)

    # Tunnels.

    @property
    def can_switch(self) -> bool:
        return self._queue.can_switch

    def switch(self) -> ClientStream:
        self._tunnel = ClientStream(self._wire, self._queue.switch())
        return self._tunnel

    # The connection.

    @property
    def is_gone(self) -> bool:
        return self._wire.is_gone

    @property
    def ended_by(self) -> str | None:
        return self._wire.ended_by

    async def end_request(self) -> None:
        """Get past what is left of the request's content, or end the connection behind it."""
        if self.content.has_ended or self._is_cut or self._tunnel is not None:
            return
        if self.keep_alive:
            # What was being forwarded, the upstream's connection may still be reading.
            self.keep_alive = self._body is None and await drain_body(self._wire, self.content)
        if not self.keep_alive:
            self._wire.end_in_stages()
            await self._wire.ended()
