"""A client's connection: bytes in, requests out, and every wait on the client bounded.

aiohttp's `RequestHandler` parses, queues and hands over one request after another. This
class adds what a proxy must have and a framework need not: deadlines for heads and idle
connections, answers of our own to bytes that are no request, a tunnel for any protocol.

What of aiohttp 3.14 is used here beyond its public names, and why; a test fails where
one of them goes away:

    _messages        the requests that were parsed and not begun: says whether bytes ended
                     a head, and holds the parser's error, which has no public form
    _upgraded,       whether the parser has stopped, and what came after: it stops for
    _message_tail    "Upgrade: websocket" alone and loses the bytes behind any other
"""

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from corsproxy.core.messages import RequestHead
from corsproxy.core.problems import Answer
from corsproxy.core.refusals import refuse, refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.shell.faults import BodyRefusedError
from corsproxy.shell.intake import Intake
from corsproxy.shell.link import Link, logger
from corsproxy.shell.records import ExchangeRecord
from corsproxy.shell.responses import head_bytes
from corsproxy.shell.service import Service
from corsproxy.shell.stand_ins import SentResponse, TunnelParser
from corsproxy.shell.unfinished_head import UnfinishedHead

if TYPE_CHECKING:
    from corsproxy.shell.server import ProxyServer

_HEAD_END = b"\r\n\r\n"
_NO_REQUEST = RequestHead("GET", b"/", ())


class Exchange(Protocol):
    """What a connection knows of the exchange that it is busy with."""

    @property
    def payload(self) -> StreamReader:
        """The request's content."""
        ...

    @property
    def is_endless(self) -> bool:
        """Whether it ends only when somebody ends it: a tunnel, an event stream."""
        ...


class Connection(Link):
    """One client connection, for as many exchanges as it lasts."""

    __slots__ = ("_head", "_limits", "_lossy", "_tunnel", "exchange", "is_full", "service")

    def __init__(self, server: "ProxyServer", service: Service) -> None:
        limits = service.policy.limits
        super().__init__(server, limits)
        self.service = service
        self.exchange: Exchange | None = None
        """The exchange in progress, from when its message is taken from the queue."""
        self.is_full = False
        """Whether the listener had no room for this connection: it gets one answer."""
        self._limits = limits
        self._head = UnfinishedHead(limits)
        self._lossy: RawRequestMessage | None = None  # see must_end_behind
        self._tunnel: Intake | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reading.set(self._limits.head_timeout)
        super().connection_made(transport)

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio's own signature
        """Take the end of what the client sends: in a tunnel half a close, else its leaving."""
        if self._tunnel is None:
            return None
        self._tunnel.end()
        return True

    @property
    def is_idle(self) -> bool:
        return self.exchange is None and not self._messages

    @property
    def is_awaited(self) -> bool:
        """Whether an exchange is in progress that will come to an end by itself."""
        return not (self.is_idle or self.is_deaf) and (
            self.exchange is None or not self.exchange.is_endless
        )

    def begin_exchange(self, exchange: Exchange) -> None:
        """Await nothing of the client but what the exchange asks for."""
        self.exchange = exchange
        self.reading.clear()

    def end_exchange(self, *, keep_alive: bool) -> None:
        """Wait for the next request, or for the close that follows."""
        self.exchange = None
        if self.transport is None:
            return
        if not keep_alive:
            self.bound_closing()
        elif self._head:
            self.reading.set(self._limits.head_timeout)
        else:
            self.reading.set(self._limits.keepalive_timeout)

    def data_received(self, data: bytes) -> None:
        if self.is_deaf:
            return
        in_body = self._in_body()
        waiting = len(self._messages)
        super().data_received(data)
        if len(self._messages) != waiting:
            self._requests_arrived(data, behind_body=in_body)
        elif not in_body and not self._upgraded:
            self._head_grew(data)

    def _in_body(self) -> bool:
        if self._messages:
            return not self._messages[-1][1].is_eof()
        return self.exchange is not None and not self.exchange.payload.is_eof()

    def _requests_arrived(self, data: bytes, *, behind_body: bool) -> None:
        message, payload = self._messages[-1]
        self.reading.clear()
        if not isinstance(message, RawRequestMessage):
            self._head.add(data)
            self._parser_failed()
            return
        if self._head:
            data = self._head.take() + data
        if message.upgrade and not self._upgraded:
            if len(self._messages) == 1 and payload.is_eof() and not behind_body:
                self._stop_behind_upgrade(data)
            elif self._lossy is None:
                self._lossy = message
        elif payload is EMPTY_PAYLOAD and not data.endswith(_HEAD_END):
            self._head_grew(data.rpartition(_HEAD_END)[2])

    def _head_grew(self, data: bytes) -> None:
        if self._head.add(data) and self.exchange is None:
            self.reading.set(self._limits.head_timeout)
        if self._head.is_too_large:
            if self.exchange is None:
                self._refuse(refuse_unread(self.service.policy, self._head.take()))
            else:
                # It gets no answer: the exchange before it is the last.
                self.is_deaf = True
                self._head.take()
                self.close()

    def _parser_failed(self) -> None:
        """The parser's error waits its turn as a message; a body that it broke fails now."""
        self.is_deaf = True
        payload = self._messages[-2][1] if len(self._messages) > 1 else None
        if payload is None and self.exchange is not None:
            payload = self.exchange.payload
        if payload is not None and not payload.is_eof():
            payload.set_exception(BodyRefusedError(Code.BAD_FRAMING))

    def _stop_behind_upgrade(self, data: bytes) -> None:
        """Keep what follows a request to upgrade from being read as requests.

        The parser does so for WebSocket. For other protocols it reads on, and what the
        same bytes held behind the request is lost to it: here `data` begins with the
        request, so that it can be found again.
        """
        self._upgraded = True
        self._message_tail = data.lstrip(b"\r\n").partition(_HEAD_END)[2]

    def must_end_behind(self, message: RawRequestMessage) -> bool:
        """Whether bytes may be missing behind a request to upgrade: then nothing that
        follows it can be trusted."""
        return message is self._lossy or (message.upgrade and not self._upgraded)

    def look_for_client(self) -> None:
        """Notice that the client has left an exchange while it is held still."""
        if self.exchange is not None:
            self.drop_if_left(half_close=self._tunnel is not None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, in our words and with the grant."""
        if isinstance(exc, HttpProcessingError):
            self._refuse(refuse_unread(self.service.policy, self._head.take()))
        else:
            logger.error("fault outside of an exchange", exc_info=exc)
            self.abort("internal-error")
        return cast(web.StreamResponse, SentResponse(self.ended))

    def _overdue(self) -> None:
        if self.is_deaf:
            super()._overdue()
        elif self.exchange is not None:
            self.exchange.payload.set_exception(BodyRefusedError(Code.BODY_TIMEOUT))
        elif self._head:
            self._head.take()
            self._refuse(refuse(self.service.policy, _NO_REQUEST, Code.HEAD_TIMEOUT))
        else:
            super()._overdue()

    def _refuse(self, answer: Answer) -> None:
        """Answer outside of an exchange, and end the connection."""
        if self.transport is None:
            return
        data = head_bytes(answer.head, 1, keep_alive=False) + answer.body
        self.send(data)
        journal = self.service.journal
        if journal is not None:
            journal.exchange(
                ExchangeRecord(
                    time.time(), 0.0, self.client, "", b"", answer.head.status, (),
                    answer.verdict, len(data), 0, None, None,
                )
            )  # fmt: skip
        self.end_in_stages()

    def hang_up(self) -> None:
        """End whatever is in progress: a stream by closing, all else by a reset, so that
        no cut response can pass for complete."""
        if self.ended_by is None:
            self.ended_by = "shutdown"
        if self.is_awaited:
            self.abort()
        else:
            self.force_close()

    def can_switch(self, message: RawRequestMessage) -> bool:
        """Whether everything behind the request is at hand for a tunnel."""
        return self._upgraded and message is not self._lossy and not self._messages

    def switch(self) -> Intake:
        """Read no more requests: return where everything that arrives now goes."""
        intake = self._tunnel = Intake(self)
        self.set_parser(TunnelParser(intake))  # type: ignore[arg-type] # see the class
        return intake
