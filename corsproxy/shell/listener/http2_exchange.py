"""One request and its response on a stream of an HTTP/2 connection; a `ClientExchange`.

What it promises: no more is on its way than the client's windows and its socket take, and
nothing of a stalled stream keeps another from going on; a response that was cut ends with
RST_STREAM, never with END_STREAM.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final, Protocol

from corsproxy.core.messages import ClientHead, RequestHead
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http2.frames import ErrorCode
from corsproxy.http2.protocol import Http2Protocol
from corsproxy.http2.response_fields import response_fields
from corsproxy.http2.stream_states import SMALL_PIECE
from corsproxy.shell.listener.client_body import ClientBody
from corsproxy.shell.listener.client_exchange import ClientExchange
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.wire import Wire
from corsproxy.shell.streams.body_buffer import BodyBuffer
from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.eager_task import Wakeup
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.upstream.bond import Bond

# Content of which many pieces are written together.
_SMALL: Final = 8 * 1024
_TOGETHER: Final = 64


class Carrier(Protocol):
    """What a stream knows of the connection that it is on."""

    @property
    def wire(self) -> Wire: ...

    @property
    def protocol(self) -> Http2Protocol: ...

    @property
    def bond(self) -> Bond: ...

    @property
    def write_timeout(self) -> float: ...

    def deadline(self, exchange: "Http2Exchange") -> Deadline:
        """Return a bound that ends in `exchange.overdue`."""
        ...

    def flush(self, *, may_wait: bool = False) -> None:
        """Write what the protocol has to send; with `may_wait`, what others have in the same turn
        of the event loop may go with it."""
        ...


class Http2Exchange(ClientExchange):
    """The client's side of one exchange."""

    def __init__(
        self,
        stream: int,
        head: RequestHead,
        content: BodyBuffer,
        carrier: Carrier,
        length: int | None,
        refusal: Code | None,
    ) -> None:
        super().__init__(head, carrier.bond, length, refusal)
        self.stream: Final = stream
        # The window holds the client still, not the socket: it has no tap.
        self.content: Final = content
        self._carrier: Final = carrier
        self._body: _TakenBody | None = None
        self._small = 0  # so many pieces were, one behind the other
        self._awaits_continue = not content.has_ended and any(
            name == b"expect" for name, _ in head.fields
        )
        self._bound: Deadline | None = None
        self._pending = b""
        """Of the response's content, what there was no room for."""
        self._ends_behind = False
        """Whether nothing follows what is pending."""
        self._opened = Wakeup()
        self._has_left = False
        self._ended_by: str | None = None
        self._sent = 0

    # The request's content.

    def add(self, data: bytes) -> None:
        """Content has arrived. Small pieces of it wait together."""
        self.content.put(data)
        self._small = self._small + 1 if len(data) <= SMALL_PIECE else 0
        if self._small == _TOGETHER:
            self._small = 0
            self.content.gather(_TOGETHER)

    def body(self, limits: Limits) -> "_TakenBody":
        self._body = _TakenBody(self, ClientBody(self, self.content, limits))
        return self._body

    @property
    def received(self) -> int:
        return 0 if self._body is None else self._body.received

    @property
    def broken(self) -> Code | None:
        failure = self.content.failure
        return failure.code if isinstance(failure, BodyRefusedError) else None

    def await_content(self, seconds: float) -> None:
        """The upstream wants content, which the client has to send within `seconds`. Raises
        ClientLeftError."""
        if self.is_gone:
            raise ClientLeftError
        if self._awaits_continue and not self.content.received and not self.content.has_ended:
            self._carrier.protocol.send_continue(self.stream)
            self._carrier.flush()
        self._awaits_continue = False
        if not self.content.has_ended:
            self._wait(seconds)

    def content_came(self) -> None:
        """The client is no longer waited for."""
        if self._bound is not None:
            self._bound.clear()

    def taken(self, size: int) -> None:
        """So much content goes to the upstream: as much more may come."""
        if size:
            self._carrier.protocol.acknowledge(self.stream, size)
            self._carrier.flush(may_wait=True)

    # The response.

    def send_head(
        self, head: ClientHead, content: bytes = b"", *, is_all: bool, close: bool = False
    ) -> None:
        if self.is_gone:
            raise ClientLeftError
        fields = response_fields(head, _date(int(time.time())))
        ends = is_all and not content
        self._sent += self._carrier.protocol.send_head(self.stream, fields, is_all=ends)
        if content:
            self._put(content, is_all=is_all)
        self._carrier.flush(may_wait=len(content) <= _SMALL)

    @property
    def sent(self) -> int:
        return self._sent

    def send_body(self, piece: Piece) -> None:
        self._write(piece, is_all=False)

    def finish(self) -> None:
        self._write(b"", is_all=True)

    def _write(self, piece: Piece, *, is_all: bool) -> None:
        if self.is_gone:
            raise ClientLeftError
        self._put(piece, is_all=is_all)
        self._carrier.flush(may_wait=len(piece) <= _SMALL)

    def _put(self, piece: Piece, *, is_all: bool) -> None:
        """Send as much as there is room for, and keep the rest."""
        self._sent += len(piece)
        if self._pending:
            self._pending += piece
            self._ends_behind = is_all
            return
        protocol = self._carrier.protocol
        room = 0 if self._carrier.wire.is_writing_paused else protocol.window(self.stream)
        if len(piece) <= room or not piece:
            protocol.send_content(self.stream, piece, is_all=is_all)
            return
        if room:
            protocol.send_content(self.stream, piece[:room], is_all=False)
        self._pending = bytes(piece[room:])
        self._ends_behind = is_all

    @property
    def is_writing_paused(self) -> bool:
        return bool(self._pending) or self._carrier.wire.is_writing_paused

    async def drained(self) -> None:
        wire = self._carrier.wire
        while not self.is_gone:
            if wire.is_writing_paused:
                await wire.drained()
            elif self._pending:
                await self._push()
            else:
                return
        raise ClientLeftError

    async def _push(self) -> None:
        """Send more of what is pending, once the client's window has room for some."""
        pending, self._pending = self._pending, b""
        self._sent -= len(pending)
        self._put(pending, is_all=self._ends_behind)
        self._carrier.flush()
        if self._pending == pending and not self._carrier.wire.is_writing_paused:
            self._wait(self._carrier.write_timeout)
            try:
                await self._opened
            finally:
                self.content_came()

    def window_opened(self) -> None:
        """More may be sent."""
        if self._pending:
            self._opened.set()

    def send_bare_fault(self) -> None:
        if not self.is_gone:
            fields = [(b":status", b"500"), (b"content-length", b"0")]
            self._sent += self._carrier.protocol.send_head(self.stream, fields, is_all=True)
            self._carrier.flush()

    def abort(self) -> None:
        self._pending = b""
        self._carrier.protocol.reset(self.stream, ErrorCode.INTERNAL_ERROR)
        self._carrier.flush()

    # The client.

    @property
    def is_gone(self) -> bool:
        return self._has_left or self._carrier.wire.is_gone

    @property
    def ended_by(self) -> str | None:
        return self._ended_by or self._carrier.wire.ended_by

    def left(self, ended_by: str | None = None) -> None:
        """The answer is no longer wanted. Whatever waits for the client is told."""
        self._has_left = True
        self._ended_by = self._ended_by or ended_by
        self.content.fail(ClientLeftError())
        self.content.wake()
        self._opened.set()

    def _wait(self, seconds: float) -> None:
        if self._bound is None:
            self._bound = self._carrier.deadline(self)
        self._bound.set(seconds)

    def overdue(self) -> None:
        """The client has sent nothing, or taken nothing, for as long as it may."""
        if self._pending:
            self._carrier.protocol.reset(self.stream, ErrorCode.CANCEL)
            self._carrier.flush()
            self.left("client-stalled")
        else:
            self.content.fail(BodyRefusedError(Code.BODY_TIMEOUT))
            self.content.wake()

    def close(self) -> None:
        """The exchange is over: nothing of it may be left open."""
        if self._bound is not None:
            self._bound.stop()
        self._carrier.protocol.reset(self.stream, ErrorCode.INTERNAL_ERROR)
        self._carrier.flush(may_wait=True)


class _TakenBody:
    """A `RequestBody` that lets the client send as much as is taken."""

    __slots__ = ("_body", "_exchange")

    def __init__(self, exchange: Http2Exchange, body: ClientBody) -> None:
        self._exchange: Final = exchange
        self._body: Final = body

    @property
    def received(self) -> int:
        return self._body.received

    @property
    def at_end(self) -> bool:
        return self._body.at_end

    def take(self) -> bytes:
        before = self._body.received
        data = self._body.take()
        self._exchange.taken(self._body.received - before)
        return data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        data = await self._body.read(most)
        self._exchange.taken(len(data))
        return data


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    """Return a time since the epoch as Date has it (RFC 9110, 5.6.7)."""
    return formatdate(second, usegmt=True).encode("ascii")
