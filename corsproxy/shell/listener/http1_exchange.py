"""One request and its response on an HTTP/1.1 connection; a `ClientExchange`.

What it promises: this is the only place that decides about framing and persistence (RFC 9112, 6
and 9); unread content is never taken for the next request.
"""

from contextlib import suppress
from typing import Final

from corsproxy.core.messages import ClientHead, Framing
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.chunked import LAST_CHUNK, chunk
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.writer import BARE_FAULT, CONTINUE, head_bytes
from corsproxy.shell.listener.client_body import ClientBody
from corsproxy.shell.listener.client_exchange import ClientExchange
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.request_queue import RequestQueue
from corsproxy.shell.listener.service import Service
from corsproxy.shell.listener.wire import LINGER_S, Wire
from corsproxy.shell.streams.body_buffer import BodyBuffer
from corsproxy.shell.streams.piece import Piece
from corsproxy.shell.upstream.bond import Bond

# How much unread content is drained so that the connection can be kept.
_MOST_DRAINED: Final = 1024 * 1024


class ClientStream:
    """The `ByteStream` of a client whose connection has switched protocols."""

    __slots__ = ("_arriving", "_wire", "received", "sent")

    def __init__(self, wire: Wire, arriving: BodyBuffer) -> None:
        self._wire: Final = wire
        self._arriving: Final = arriving
        self.received = 0
        self.sent = 0

    async def read(self) -> bytes:
        data = bytes(await self._arriving.read())
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.push(data)
        await self._wire.drained()

    def push(self, data: bytes) -> None:
        self._wire.send(data)
        self.sent += len(data)

    def write_eof(self) -> None:
        """Close the sending side, or both where one side alone cannot be closed."""
        if not self._wire.write_eof():
            self._wire.close()

    def abort(self) -> None:
        self._wire.abort()


class Http1Exchange(ClientExchange):
    """The client's side of one exchange."""

    __slots__ = (
        "_awaits_continue", "_body", "_framing", "_is_cut", "_message", "_queue", "_sent",
        "_service", "_tunnel", "_wire", "content", "keep_alive",
    )  # fmt: skip

    def __init__(
        self,
        message: RequestMessage,
        content: BodyBuffer,
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
        # The client may be waiting for a 100 before it sends content (RFC 9110, 10.1.1).
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
        """Read past what is left of the request's content, or end the connection."""
        if self.content.has_ended or self._is_cut or self._tunnel is not None:
            return
        if self.keep_alive:
            # The upstream connection may still be reading content that is being forwarded.
            self.keep_alive = self._body is None and await drain_body(self._wire, self.content)
        if not self.keep_alive:
            self._wire.end_in_stages()
            await self._wire.ended()


def can_keep(message: RequestMessage, content: BodyBuffer, status: int, *, forwarded: bool) -> bool:
    """Whether the connection can be kept although content is still arriving.

    The upstream may still want `forwarded` content, unless it has refused the request.
    """
    if message.expects and not content.received:
        # A client that was not told to continue may or may not send its content.
        return False
    if forwarded:
        return status < 400
    length = message.length
    return length is None or length - content.received <= _MOST_DRAINED


async def drain_body(wire: Wire, content: BodyBuffer) -> bool:
    """Read the rest of a request's content and drop it; return whether it was within bounds.

    Unread, it would be taken for the next request (RFC 9112, 9.3).
    """
    budget = _MOST_DRAINED
    wire.reading.set(LINGER_S)
    try:
        while budget >= 0 and not content.at_end:
            budget -= len(await content.read())
    except BodyRefusedError:
        return False
    finally:
        wire.reading.clear()
    return budget >= 0
