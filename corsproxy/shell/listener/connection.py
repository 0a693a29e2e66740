"""A client's connection: bytes in, requests out, and every wait on the client bounded.

`Receiver` reads and queues the requests. This class adds what a proxy must have: deadlines
for heads and idle connections, answers of our own to bytes that are no request, a tunnel
for any protocol. And it carries out the exchanges, one after another in one task.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from corsproxy.core.answers import Answer
from corsproxy.core.messages import RequestHead
from corsproxy.core.refusals import refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.http1.request_message import RequestMessage
from corsproxy.http1.response_head import BARE_FAULT, head_bytes
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.listener.content import Content
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.listener.link import logger
from corsproxy.shell.listener.receiver import Receiver
from corsproxy.shell.listener.service import Service
from corsproxy.shell.streams.eager_task import EagerTask
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.upstream.bond import Bond


class Exchange(Protocol):
    """What a connection knows of the exchange that it is busy with."""

    @property
    def content(self) -> Content:
        """The request's content."""
        ...

    @property
    def is_endless(self) -> bool:
        """Whether it ends only when somebody ends it: a tunnel, an event stream."""
        ...

    @property
    def is_parting(self) -> bool:
        """Whether it is about to end by itself, because `part` was called."""
        ...

    def part(self) -> bool:
        """Begin to end what is endless in the words of its protocol; returns whether there
        are any. To be called once."""
        ...

    def stop(self) -> bool:
        """Ask for an answer of our own in place of the upstream's, to be sent when `run` is
        cancelled; returns whether there is still one to be sent."""
        ...

    async def run(self) -> bool:
        """Carry it out; returns whether another may follow on the connection."""
        ...


class Listener(Protocol):
    """What a connection knows of the server that it belongs to."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def buffer(self) -> ReadBuffer:
        """What takes every read."""
        ...

    def opened(self, connection: "Connection") -> None:
        """It is there; says itself where there is no room for it, by `is_full`."""
        ...

    def closed(self, connection: "Connection") -> None:
        """It is gone."""
        ...


MakeExchange = Callable[[RequestMessage, Content, "Connection"], Exchange]


class Connection(Receiver):
    """One client connection, for as many exchanges as it lasts."""

    __slots__ = (
        "_head_began",
        "_is_last",
        "_make_exchange",
        "_server",
        "_task",
        "bond",
        "exchange",
        "is_full",
        "service",
    )

    def __init__(self, server: Listener, service: Service, make: MakeExchange) -> None:
        limits = service.policy.limits
        super().__init__(server.loop, limits, server.buffer)
        self._server = server
        self.service = service
        self.bond = Bond()
        """Holds the upstream connections that are this client's alone."""
        self.exchange: Exchange | None = None
        """The exchange in progress, from when its message is taken from the queue."""
        self.is_full = False
        """Whether the listener had no room for this connection: it gets one answer."""
        self._make_exchange = make
        self._is_last = False  # whether no exchange follows the one in progress
        self._head_began = 0.0  # by time.perf_counter
        self._task = EagerTask(self.start(), server.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reading.set(self._limits.head_timeout)
        super().connection_made(transport)
        self._server.opened(self)
        self._task.step()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.bond.end()
        self._task.cancel()
        if self._tunnel is not None:
            self._tunnel.fail(ClientLeftError())
            self._tunnel.wake()
        if self._task.is_done:
            self._server.closed(self)

    def force_close(self) -> None:
        super().force_close()
        if self.is_idle:
            self._task.cancel()

    def eof_received(self) -> bool | None:
        """Take the end of what the client sends: in a tunnel half a close, else its leaving."""
        if self._tunnel is None:
            return None
        self._tunnel.end()
        self._tunnel.wake()
        return True

    @property
    def is_idle(self) -> bool:
        return self.exchange is None and not self._waiting

    @property
    def is_awaited(self) -> bool:
        """Whether an exchange is in progress that will come to an end by itself."""
        return not (self.is_idle or self.is_ending) and (
            self.exchange is None or not self.exchange.is_endless
        )

    @property
    def is_parting(self) -> bool:
        """Whether the exchange in progress has been told to end, and does."""
        return self.exchange is not None and self.exchange.is_parting

    async def start(self) -> None:
        """Carry out one exchange after another, until one of them is the last."""
        messages = self._waiting
        try:
            while not self._is_last:
                while not messages:
                    await self._requests
                message, content = messages.pop(0)
                if message is None:
                    self._refuse_unread()
                    await self.ended()
                else:
                    exchange = self._begin(message, content)
                    # Else an idle connection would keep them.
                    del message, content
                    keep_alive = await exchange.run()
                    del exchange
                    self._done(keep_alive=keep_alive)
            if self._drop_rest():
                self.end_in_stages()
                await self.ended()
        finally:
            self.close_behind()
            if self._wire is None:
                self._server.closed(self)

    def _begin(self, message: RequestMessage, content: Content) -> Exchange:
        self.exchange = exchange = self._make_exchange(message, content, self)
        self.reading.clear()
        self._request_taken()
        return exchange

    def _done(self, *, keep_alive: bool) -> None:
        self.exchange = None
        if not keep_alive:
            self._is_last = True
        elif self.transport is not None:
            self._decline_switch()
            head_begun = self._head.has_begun
            limits = self._limits
            self.reading.set(limits.head_timeout if head_begun else limits.keepalive_timeout)

    def forget(self) -> None:
        """Keep nothing of what was decided."""
        if self._plain_heads is not None:
            self._plain_heads.forget()

    def _head_begins(self) -> None:
        self._head_began = time.perf_counter()
        if self.exchange is None:
            self.reading.set(self._limits.head_timeout)

    def look_for_client(self) -> None:
        """Notice that the client has left an exchange while it is held still."""
        if self.exchange is not None:
            self.drop_if_left(half_close=self._tunnel is not None)

    def _overdue(self) -> None:
        if self.is_ending:
            super()._overdue()
        elif self.exchange is not None:
            self.exchange.content.fail(BodyRefusedError(Code.BODY_TIMEOUT))
            self.exchange.content.wake()
        elif self._head.has_begun:
            self._refuse_unread(Code.HEAD_TIMEOUT)
        else:
            super()._overdue()

    def _refuse_unread(self, code: Code | None = None) -> None:
        """Answer what has arrived of a head, outside of an exchange, and end the connection."""
        received = self._head.take()
        if self.transport is None:
            return
        answer: Answer | None = None
        try:
            answer = refuse_unread(self.service.policy, received, code)
            data = head_bytes(answer.head, 1, keep_alive=False, content=answer.body)
        except Exception:  # noqa: BLE001 - a bug of ours must cost one connection, and be seen
            logger.exception("fault in an answer")
            data = BARE_FAULT
        self.send(data)
        if answer is not None:
            duration = time.perf_counter() - self._head_began if received else 0.0
            self._record(answer, len(data), duration)
        self.end_in_stages()

    def _record(self, answer: Answer, sent: int, duration: float) -> None:
        journal, counts = self.service.journal, self.service.counts
        status, verdict = answer.head.status, answer.verdict
        if journal is not None:
            # Without method, target and fields: it was no request.
            request = RequestHead("", b"", (), client=self.client)
            record = ExchangeRecord(
                request,
                self.service.policy,
                verdict,
                status,
                started=time.time() - duration,
                duration_s=duration,
                sent=sent,
                response=answer.head,
            )
            journal.exchange(record)
        elif counts is not None:
            counts.count("", verdict, status, None, None, None)

    def hang_up(self) -> None:
        """End whatever is in progress: what can be told so by being told, a stream by closing,
        what waits for the upstream by an answer, all else by a reset, so that no cut response
        can pass for complete. What is ended in stages already is left to its client."""
        if self.ended_by is None:
            self.ended_by = "shutdown"
        if self.is_ending:
            return
        if self.is_awaited:
            if self.exchange is not None and self.exchange.stop():
                self._task.cancel()
            else:
                self.abort()
        elif self.exchange is None or not self.exchange.part():
            self.force_close()
