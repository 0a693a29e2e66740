"""A client's connection: bytes in, requests out, and every wait on the client bounded.

`Receiver` reads and queues the requests. This class adds what a proxy must have: deadlines
for heads and idle connections, answers of our own to bytes that are no request, a tunnel
for any protocol. And it carries out the exchanges, one after another in one task.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from corsproxy.core.problems import Answer
from corsproxy.core.refusals import refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.shell.client.content import NO_CONTENT, Content
from corsproxy.shell.client.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.client.head_pattern import HEAD_END, HeadPattern, end_of_head, pattern_of
from corsproxy.shell.client.link import logger
from corsproxy.shell.client.message import RequestMessage
from corsproxy.shell.client.receiver import Receiver
from corsproxy.shell.client.responses import BARE_FAULT, head_bytes
from corsproxy.shell.client.service import Service
from corsproxy.shell.client.unfinished_head import UnfinishedHead
from corsproxy.shell.log.records import ExchangeRecord
from corsproxy.shell.streams.intake import Intake
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.streams.prompt_task import PromptTask, Signal


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
        "_head",
        "_head_began",
        "_is_blind",
        "_is_last",
        "_make_exchange",
        "_pattern",
        "_requests",
        "_server",
        "_task",
        "_tunnel",
        "exchange",
        "is_full",
        "service",
    )

    def __init__(self, server: Listener, service: Service, make: MakeExchange) -> None:
        limits = service.policy.limits
        super().__init__(server.loop, limits, server.buffer)
        self._server = server
        self.service = service
        self.exchange: Exchange | None = None
        """The exchange in progress, from when its message is taken from the queue."""
        self.is_full = False
        """Whether the listener had no room for this connection: it gets one answer."""
        self._make_exchange = make
        self._is_last = False  # whether no exchange follows the one in progress
        self._head = UnfinishedHead(limits)
        self._head_began = 0.0  # by time.perf_counter
        # Whether the parser may have the beginning of a head that is not in `_head`: what it
        # gets behind content of unknown length, only it can tell from the content.
        self._is_blind = False
        self._tunnel: Intake | None = None
        self._pattern: HeadPattern | None = None  # of the last head that could have one
        self._requests = Signal()
        self._task = PromptTask(self.start(), server.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reading.set(self._limits.head_timeout)
        super().connection_made(transport)
        self._server.opened(self)
        self._task.step()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
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
        return not (self.is_idle or self.is_deaf) and (
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
        finally:
            self.close_behind()
            if self._wire is None:
                self._server.closed(self)

    def _begin(self, message: RequestMessage, content: Content) -> Exchange:
        self.exchange = exchange = self._make_exchange(message, content, self)
        self.reading.clear()
        if message.precedent is None:
            # The parser knows nothing of the others.
            self._request_taken(content)
        return exchange

    def _done(self, *, keep_alive: bool) -> None:
        self.exchange = None
        if not keep_alive:
            self._is_last = True
        elif self.transport is not None:
            if self._is_upgraded and not self._waiting:
                self._decline_upgrade()
            head_begun = len(self._head) > 0
            limits = self._limits
            self.reading.set(limits.head_timeout if head_begun else limits.keepalive_timeout)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.put(data)
            self._tunnel.wake()
            return
        if self._repeats(data):
            self._requests.give()
            return
        begin, end = 0, -1
        content = self._arriving
        while end < len(data) and not self.is_deaf and self.transport is not None:
            in_body = self._arriving is not None
            left = 0 if self._arriving is None else self._arriving.left
            is_whole = left is None or self._is_queue_full
            if left is None or is_whole:
                end = len(data)
            else:
                end = min(begin + left, len(data)) if left else end_of_head(data, begin)
            self._received(data[begin:end], in_body, is_whole)
            begin = end
        # Only now: what the same bytes hold behind a head is at hand.
        if content is not None:
            content.wake()
        if self._waiting:
            self._requests.give()
        if self._arriving is not None and self._arriving is not content:
            self._arriving.wake()

    def forget(self) -> None:
        """Keep nothing of what was decided."""
        self._pattern = None

    def _repeats(self, data: bytes) -> bool:
        """Whether they are the next request's head, which repeats an earlier one's."""
        pattern = self._pattern
        if pattern is None or self.is_deaf or not self.is_idle:
            return False
        if self._arriving is not None or len(self._head):
            return False
        if self._is_blind or self._has_overflowed:
            return False
        message = pattern.read(data)
        if message is None or self.transport is None:
            return False
        self.reading.clear()
        self._waiting.append((message, NO_CONTENT))
        # It keeps what it has read last, and may never be needed again.
        self._parser = None
        return True

    def _received(self, data: bytes, in_body: bool, is_whole: bool) -> None:
        waiting = len(self._waiting)
        self._parse(data)
        if len(self._waiting) != waiting:
            self._requests_arrived(data, behind_body=in_body)
        elif in_body:
            # What ends like a head and is none is the end of the content.
            has_ended = is_whole and self._arriving is None
            self._is_blind = has_ended and not data.endswith(HEAD_END)
        elif not self._is_upgraded:
            self._head_grew(data)

    def _requests_arrived(self, data: bytes, *, behind_body: bool) -> None:
        message, content = self._waiting[-1]
        was_blind = self._is_blind or behind_body or self._has_overflowed
        self._is_blind = content.has_arrived and content is not NO_CONTENT
        self.reading.clear()
        if message is None:
            if self._head.add(data):
                self._head_began = time.perf_counter()
            self._parser_failed()
            return
        if self._head:
            data = self._head.take() + data
        if message.upgrade and not self._is_upgraded:
            if data and len(self._waiting) == 1 and content.has_arrived and not was_blind:
                self._stop_behind_upgrade(data)
            elif self._lossy is None:
                self._lossy = message
        elif content is NO_CONTENT:
            if not data.endswith(HEAD_END):
                self._head_grew(data.rpartition(HEAD_END)[2])
            elif not was_blind:
                self._pattern = pattern_of(data, message)

    def _head_grew(self, data: bytes) -> None:
        if self._head.add(data):
            self._head_began = time.perf_counter()
            if self.exchange is None:
                self.reading.set(self._limits.head_timeout)
        if self._head.is_too_large:
            if self.exchange is None:
                self._refuse_unread()
            else:
                # It gets no answer: the exchange before it is the last.
                self.is_deaf = self._is_last = True
                self._head.take()

    def _parser_failed(self) -> None:
        """The parser's error waits its turn as a message; a body that it broke fails now."""
        self.is_deaf = True
        if self._arriving is not None:
            self._arriving.fail(BodyRefusedError(Code.BAD_FRAMING))

    def look_for_client(self) -> None:
        """Notice that the client has left an exchange while it is held still."""
        if self.exchange is not None:
            self.drop_if_left(half_close=self._tunnel is not None)

    def _overdue(self) -> None:
        if self.is_deaf:
            super()._overdue()
        elif self.exchange is not None:
            self.exchange.content.fail(BodyRefusedError(Code.BODY_TIMEOUT))
            self.exchange.content.wake()
        elif self._head:
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
            start, peer = time.time() - duration, self.client
            journal.exchange(
                ExchangeRecord(
                    start, duration, peer, "", b"", status, (), verdict, sent, 0, None, None
                )
            )
        elif counts is not None:
            counts.count("", verdict, status, None, None)

    def hang_up(self) -> None:
        """End whatever is in progress: what can be told so by being told, a stream by closing,
        what waits for the upstream by an answer, all else by a reset, so that no cut response
        can pass for complete."""
        if self.ended_by is None:
            self.ended_by = "shutdown"
        if self.is_awaited:
            if self.exchange is not None and self.exchange.stop():
                self._task.cancel()
            else:
                self.abort()
        elif self.exchange is None or not self.exchange.part():
            self.force_close()

    def switch(self) -> Intake:
        """Read no more requests: return where everything that arrives now goes."""
        intake = self._tunnel = Intake(self)
        # A tunnel may be idle for hours: it keeps nothing that it will not need.
        self._parser = None
        self.reading.stop()
        tail, self._behind_upgrade = self._behind_upgrade, b""
        if tail:
            intake.put(tail)
            intake.wake()
        if self._is_queue_full:
            self._refill()
        return intake
