"""A client's HTTP/2 connection: each request on a stream of its own, in a task of its own.

The sibling of `http1_connection`: a `ClientConnection` to the server, a `Carrier` to its streams.
Bytes become events in `http2.protocol`; every wait on the client has a bound here.
"""

import asyncio
from typing import Final

from corsproxy.core.messages import RequestHead
from corsproxy.core.verdicts import Code
from corsproxy.http2.events import (
    ContentArrived,
    ContentEnded,
    Event,
    RequestArrived,
    StreamEnded,
    WindowOpened,
)
from corsproxy.http2.protocol import Http2Protocol
from corsproxy.shell.listener.client_connection import Listener
from corsproxy.shell.listener.exchange import Exchange
from corsproxy.shell.listener.http2_exchange import Http2Exchange
from corsproxy.shell.listener.service import Service
from corsproxy.shell.listener.wire import Wire
from corsproxy.shell.streams.body_buffer import NO_CONTENT, BodyBuffer
from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.eager_task import EagerTask
from corsproxy.shell.streams.piece import PIECE_SIZE
from corsproxy.shell.upstream.bond import Bond

# Of a client that comes when all are sent elsewhere. Chromium gives up a call that has met three
# connections which end at once, and of many calls some are always behind.
_STAY_S: Final = 1.0
# What HPACK counts for each field besides its bytes.
_FIELD_OVERHEAD: Final = 32


class _Stream:
    """An exchange in progress, both sides of it."""

    __slots__ = ("exchange", "running", "task")

    def __init__(self, exchange: Http2Exchange, running: Exchange) -> None:
        self.exchange = exchange
        self.running = running
        self.task: EagerTask | None = None
        """None until all is read that came with the head."""


class Http2Connection(asyncio.BufferedProtocol):
    """One client connection."""

    def __init__(self, server: Listener, service: Service) -> None:
        limits = service.policy.limits
        self.service: Final = service
        self.wire: Final = Wire(server.loop, limits, self._overdue)
        most = limits.field_section + _FIELD_OVERHEAD * limits.fields
        self.protocol: Final = Http2Protocol(most)
        self.bond: Final = Bond()
        self.is_full = False
        self.write_timeout: Final = limits.write_timeout
        self._server: Final = server
        self._limits: Final = limits
        self._streams: dict[int, _Stream] = {}
        self._will_write = False
        self._stay: Deadline | None = None
        self._held = 0  # bytes that are counted against what all unfinished heads may take
        self._is_in_head = True  # whether the client has begun what it must end soon

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire.reading.set(self._limits.head_timeout)
        self.wire.made(transport)
        self._server.opened(self)
        self.flush()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.wire.lost()
        self._server.heads.left += self._held
        self._held = 0
        if self._stay is not None:
            self._stay.stop()
        self.bond.end()
        self._abandon()
        if not self._streams:
            self._server.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._server.buffer.space(PIECE_SIZE)

    def buffer_updated(self, nbytes: int) -> None:
        if self.wire.is_ending or self.wire.is_gone:
            return
        data = self._server.buffer.lent(nbytes)
        changed: dict[int, None] = {}
        for event in self.protocol.receive(data, self._server.loop.time()):
            self._take(event, changed)
        # Only now: content that came with a head is at hand, and many small pieces are one.
        for number in changed:
            stream = self._streams.get(number)
            if stream is not None:
                self._run_on(stream)
        self.flush()
        if self.protocol.fault is not None:
            self._abandon()
            self.wire.end_in_stages()
        elif self._is_too_much():
            self._abandon()
            self.leave()
            self.wire.close()
        elif self.protocol.is_leaving and not self._streams:
            self._end_in_stages()
        else:
            self._set_bound()

    def _is_too_much(self) -> bool:
        """Count what is kept of a head; returns whether all that are unfinished are too much,
        and this the newest."""
        heads, held = self._server.heads, self.protocol.held
        grows = held > self._held
        heads.left -= held - self._held
        self._held = held
        return grows and heads.left < 0

    def eof_received(self) -> None:
        """A client that sends no more can say nothing about its windows either."""

    def pause_writing(self) -> None:
        self.wire.pause_writing()

    def resume_writing(self) -> None:
        self.wire.resume_writing()

    # What the protocol tells.

    def _take(self, event: Event, changed: dict[int, None]) -> None:
        """Note what has happened; `changed` gets the streams that can go on."""
        if isinstance(event, RequestArrived):
            self._streams[event.stream] = self._begun(event)
        if isinstance(event, WindowOpened) and event.stream == 0:
            changed.update(dict.fromkeys(self._streams))
        stream = self._streams.get(event.stream)
        if stream is None:
            return
        changed[event.stream] = None
        if isinstance(event, ContentArrived):
            stream.exchange.add(event.data)
        elif isinstance(event, ContentEnded):
            stream.exchange.content.end()
        elif isinstance(event, StreamEnded):
            self._give_up(stream)

    def _run_on(self, stream: _Stream) -> None:
        exchange = stream.exchange
        if stream.task is None:
            work = self._carry_out(exchange, stream.running)
            stream.task = EagerTask(work, self._server.loop)
            stream.task.step()
        exchange.content.wake()
        exchange.window_opened()

    def _give_up(self, stream: _Stream) -> None:
        """The answer is no longer wanted."""
        stream.exchange.left()
        if stream.task is None:
            # It was never more than a head.
            del self._streams[stream.exchange.stream]
        else:
            stream.task.cancel()

    def _begun(self, arrived: RequestArrived) -> _Stream:
        request = arrived.request
        head = RequestHead(
            request.method,
            request.target,
            request.fields,
            client=self.wire.client,
            secure=self.wire.secure,
            is_http2=True,
        )
        refusal = Code.CONNECTIONS_FULL if self.is_full else None
        if self.service.is_lame_duck and self._stay is None:
            self._stay = Deadline(self._server.loop, self.dismiss)
            self._stay.set(_STAY_S)
        if arrived.is_too_large:
            refusal = refusal or Code.FIELDS_TOO_LARGE
        content = NO_CONTENT if arrived.has_ended else BodyBuffer(None)
        exchange = Http2Exchange(
            arrived.stream, head, content, self, request.length or None, refusal
        )
        return _Stream(exchange, Exchange(exchange, self.service))

    async def _carry_out(self, exchange: Http2Exchange, running: Exchange) -> None:
        try:
            await running.run()
        finally:
            exchange.close()
            self._streams.pop(exchange.stream, None)
            self._ended()

    def _ended(self) -> None:
        """An exchange is over, and maybe the last one."""
        if self._streams:
            return
        if self.wire.transport is None:
            self._server.closed(self)
        elif self.is_full or self.protocol.is_leaving or self.protocol.client_leaves:
            self._end_in_stages()
        else:
            self._set_bound()

    # The carrier of its streams.

    def deadline(self, exchange: Http2Exchange) -> Deadline:
        return Deadline(self._server.loop, exchange.overdue)

    def flush(self, *, may_wait: bool = False) -> None:
        if not may_wait or len(self._streams) <= 1:
            self._write()
        elif not self._will_write:
            # Others are being answered in the same turn, and one write will do for all.
            self._will_write = True
            self._server.loop.call_soon(self._write)

    def _write(self) -> None:
        self._will_write = False
        data = self.protocol.take_output()
        if data and not self.wire.is_gone:
            self.wire.send(data)

    # What the server asks.

    @property
    def is_idle(self) -> bool:
        return not self._streams

    @property
    def in_flight(self) -> int:
        return len(self._streams)

    @property
    def is_ending(self) -> bool:
        return self.wire.is_ending

    @property
    def has_unsent(self) -> bool:
        return self.wire.has_unsent

    @property
    def is_awaited(self) -> bool:
        return not self.is_ending and any(
            not each.running.is_endless for each in self._streams.values()
        )

    @property
    def is_parting(self) -> bool:
        return any(each.running.is_parting for each in self._streams.values())

    def forget(self) -> None:
        """Nothing is kept."""

    def look_for_client(self) -> None:
        """It is always read, and so its leaving is noticed."""

    def dismiss(self) -> None:
        # A client that has come just now may make its first request here.
        if self.protocol.has_requests:
            self.protocol.warn()
            self.flush()
            self._set_bound()

    def leave(self) -> None:
        self.protocol.leave()
        self.flush()

    def hang_up(self) -> None:
        if self.wire.ended_by is None:
            self.wire.ended_by = "shutdown"
        for stream in list(self._streams.values()):
            running = stream.running
            if not (running.is_endless or running.stop()):
                stream.exchange.abort()
            if stream.task is not None:
                stream.task.cancel()
        if not (self._streams or self.is_ending):
            self.close()

    def close(self) -> None:
        if self.wire.has_unsent:
            self._end_in_stages()
        else:
            self.leave()
            self.wire.close()

    def _end_in_stages(self) -> None:
        """Close behind answers. The client still opens windows for what is on its way to it, and
        to close with those bytes unread would reset that."""
        self.leave()
        self.wire.end_in_stages()

    def abort(self, cause: str | None = None) -> None:
        self.wire.abort(cause)

    # Bounds.

    def _set_bound(self) -> None:
        """Bound the wait for what the client does next."""
        was_in_head, self._is_in_head = self._is_in_head, self.protocol.is_in_head
        if self._is_in_head:
            # More of the same does not move it.
            if not was_in_head:
                self.wire.reading.set(self._limits.head_timeout)
        elif self._streams:
            self.wire.reading.clear()
        elif self.protocol.has_warned:
            self.wire.reading.set(self._limits.head_timeout)
        else:
            self.wire.reading.set(self._limits.keepalive_timeout)

    def _overdue(self) -> None:
        if self._is_in_head and self._streams:
            self._abandon()
        self.close()

    def _abandon(self) -> None:
        """End what is in progress: the client has broken the connection that it is on."""
        for stream in list(self._streams.values()):
            self._give_up(stream)
