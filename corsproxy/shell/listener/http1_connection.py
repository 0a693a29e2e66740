"""A client's HTTP/1.1 connection: bytes in, requests out, and every wait on the client bounded.

`Wire` writes and closes, `RequestQueue` reads. This class adds deadlines for heads and idle
connections, answers bytes that are no request, and carries out the exchanges one after another
in one task.
"""

import asyncio
import time
from typing import Final

from corsproxy.core.verdicts import Code
from corsproxy.http1.request_message import RequestMessage
from corsproxy.shell.listener.client_connection import Listener
from corsproxy.shell.listener.exchange import Exchange
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.http1_exchange import Http1Exchange
from corsproxy.shell.listener.last_decision import LastDecision
from corsproxy.shell.listener.refused_bytes import answer_bytes
from corsproxy.shell.listener.request_queue import Arrived, RequestQueue
from corsproxy.shell.listener.service import Service
from corsproxy.shell.listener.wire import Wire
from corsproxy.shell.streams.eager_task import EagerTask
from corsproxy.shell.upstream.bond import Bond

# Shorter heads are small enough to hold one of each client that there may be.
_LONG_HEAD: Final = 8 * 1024


class Http1Connection(asyncio.BufferedProtocol):
    """One client connection, for as many exchanges as it lasts; a `ClientConnection`."""

    __slots__ = (
        "_decisions", "_exchange", "_head_began", "_held", "_is_last", "_limits", "_running",
        "_server", "_task", "bond", "is_full", "queue", "service", "wire",
    )  # fmt: skip

    def __init__(self, server: Listener, service: Service) -> None:
        limits = service.policy.limits
        self.service: Final = service
        self.wire: Final = Wire(server.loop, limits, self._overdue)
        self.queue: Final = RequestQueue(self.wire, limits, server.heads, self._head_begun)
        self.bond: Final = Bond()
        """Holds the upstream connections reserved for this client."""
        self.is_full = False
        self._server: Final = server
        self._decisions: Final = LastDecision()
        self._limits: Final = limits
        # Both sides of the exchange in progress, from when its message leaves the queue.
        self._exchange: Http1Exchange | None = None
        self._running: Exchange | None = None
        self._is_last = False  # whether no exchange follows the one in progress
        self._held = 0  # bytes of the head in progress that count against those of all heads
        self._head_began = 0.0  # by time.perf_counter
        self._task = EagerTask(self.start(), server.loop)

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = self.wire
        wire.reading.set(self._limits.head_timeout)
        wire.made(transport)
        self.queue.reader.begin(wire.client, wire.secure)
        self._server.opened(self)
        self._task.step()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.wire.lost()
        self._task.cancel()
        self.bond.end()
        self.queue.drop_rest()
        tunnel = self.queue.tunnel
        if tunnel is not None:
            tunnel.fail(ClientLeftError())
            tunnel.wake()
        if self._task.is_done:
            self._server.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._server.buffer.space(self.queue.most)

    def buffer_updated(self, nbytes: int) -> None:
        self.queue.lent(self._server.buffer.lent(nbytes))

    def eof_received(self) -> bool | None:
        """The client has closed its sending side: in a tunnel a half-close, otherwise it left."""
        tunnel = self.queue.tunnel
        if tunnel is None:
            return None
        tunnel.end()
        tunnel.wake()
        return True

    def pause_writing(self) -> None:
        self.wire.pause_writing()

    def resume_writing(self) -> None:
        self.wire.resume_writing()

    # What the server asks.

    @property
    def is_idle(self) -> bool:
        return self._exchange is None and not self.queue.waiting

    @property
    def in_flight(self) -> int:
        return 0 if self.is_idle else 1

    @property
    def is_ending(self) -> bool:
        return self.wire.is_ending

    @property
    def has_unsent(self) -> bool:
        return self.wire.has_unsent

    @property
    def is_awaited(self) -> bool:
        return not (self.is_idle or self.is_ending) and (
            self._running is None or not self._running.is_endless
        )

    @property
    def is_parting(self) -> bool:
        return self._running is not None and self._running.is_parting

    def forget(self) -> None:
        self._decisions.forget()

    def look_for_client(self) -> None:
        if self._exchange is not None:
            self.wire.drop_if_left(half_close=self.queue.tunnel is not None)

    def dismiss(self) -> None:
        """Each response says that it is the last."""

    def leave(self) -> None:
        """Likewise."""

    def close(self) -> None:
        self.wire.close()
        if self.is_idle:
            self._task.cancel()

    def abort(self, cause: str | None = None) -> None:
        self.wire.abort(cause)

    def hang_up(self) -> None:
        wire = self.wire
        if wire.ended_by is None:
            wire.ended_by = "shutdown"
        if self.is_ending:
            return
        if self.is_awaited:
            if self._running is not None and self._running.stop():
                self._task.cancel()
            else:
                wire.abort()
        elif self._running is None or not self._running.part():
            self.close()

    # The exchanges.

    async def start(self) -> None:
        """Carry out one exchange after another, until the last one."""
        waiting, wire = self.queue.waiting, self.wire
        try:
            while not self._is_last:
                while not waiting:
                    await self.queue.filled
                arrived = waiting.pop(0)
                if arrived.message is None:
                    self._refuse_unread(arrived.refusal)
                    await wire.ended()
                else:
                    exchange, running = self._begin(arrived.message, arrived)
                    # Otherwise an idle connection would keep it alive.
                    del arrived
                    await running.run()
                    await exchange.end_request()
                    self._done(keep_alive=exchange.keep_alive)
                    del exchange, running
            if self.queue.drop_rest():
                wire.end_in_stages()
                await wire.ended()
        finally:
            self._release()
            wire.close()
            if wire.transport is None:
                self._server.closed(self)

    def _begin(self, message: RequestMessage, arrived: Arrived) -> tuple[Http1Exchange, Exchange]:
        is_full = self.is_full or not self._hold(arrived.size)
        refusal = Code.CONNECTIONS_FULL if is_full else None
        self._exchange = exchange = Http1Exchange(
            message, arrived.content, self.wire, self.queue, self.service, self.bond, refusal
        )
        self._running = running = Exchange(exchange, self.service, self._decisions)
        self.wire.reading.clear()
        self.queue.taken()
        return exchange, running

    def _hold(self, size: int) -> bool:
        """Count a long head for as long as its exchange lasts. Return whether there is room."""
        if size <= _LONG_HEAD:
            return True
        heads = self._server.heads
        if size > heads.left:
            return False
        heads.left -= size
        self._held = size
        return True

    def _release(self) -> None:
        self._server.heads.left += self._held
        self._held = 0

    def _done(self, *, keep_alive: bool) -> None:
        self._exchange = self._running = None
        if self._held:
            self._release()
        if not keep_alive:
            self._is_last = True
        elif not self.wire.is_gone:
            self.queue.decline_switch()
            limits = self._limits
            has_begun = self.queue.has_begun
            self.wire.reading.set(limits.head_timeout if has_begun else limits.keepalive_timeout)

    # What is no request.

    def _head_begun(self) -> None:
        self._head_began = time.perf_counter()
        if self._exchange is None:
            self.wire.reading.set(self._limits.head_timeout)

    def _overdue(self) -> None:
        if self._exchange is not None:
            self._exchange.content.fail(BodyRefusedError(Code.BODY_TIMEOUT))
            self._exchange.content.wake()
        elif self.queue.has_begun:
            self._refuse_unread(Code.HEAD_TIMEOUT)
        else:
            self.close()

    def _refuse_unread(self, code: Code | None) -> None:
        """Answer an unfinished or malformed head, outside of an exchange, and end the
        connection."""
        received = self.queue.reader.take_unfinished()
        if self.wire.is_gone:
            return
        duration = time.perf_counter() - self._head_began if received else 0.0
        client = self.wire.client
        self.wire.send(answer_bytes(self.service, received, client, code, duration=duration))
        self.wire.end_in_stages()
