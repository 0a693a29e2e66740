"""A client's connection: bytes in, requests out, and every wait on the client bounded.

aiohttp's `RequestHandler` parses, queues and hands over one request after another. This
class adds what a proxy must have and a framework need not: deadlines for the head, the
body and a client that does not read; answers of our own to bytes that are no request; a
close in stages, so that an answer is not lost to a reset; a tunnel for any protocol.

What of aiohttp 3.14 is used here beyond its public names, and why; a test fails where
one of them goes away:

    _messages        the requests that were parsed and not begun: says whether bytes ended
                     a head, and holds the parser's error, which has no public form
    _upgraded,       whether the parser has stopped, and what came after: it stops for
    _message_tail    "Upgrade: websocket" alone and loses the bytes behind any other
    _drain_helper    waits until a client reads again
"""

import asyncio
import logging
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from corsproxy.core.messages import RequestHead
from corsproxy.core.problems import Answer
from corsproxy.core.refusals import refuse, refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.shell.deadline import Deadline
from corsproxy.shell.departure import has_left
from corsproxy.shell.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.intake import Intake
from corsproxy.shell.records import ExchangeRecord
from corsproxy.shell.responses import head_bytes
from corsproxy.shell.service import Service
from corsproxy.shell.stand_ins import SentResponse, TunnelParser
from corsproxy.shell.unfinished_head import UnfinishedHead
from corsproxy.shell.writing import WriteWatch

if TYPE_CHECKING:
    from corsproxy.shell.server import ProxyServer

LINGER_S = 5.0
"""How long an ended connection is read on, so that its answer arrives (RFC 9112, 9.6)."""

_NEVER = 1e9  # aiohttp's own idle timer, which ours replaces
_READ_BUFFER = 32 * 1024  # reading pauses at twice that
# What a client that does not read costs, next to one piece on its way.
_WRITE_BUFFER = 16 * 1024
_HEAD_END = b"\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NO_REQUEST = RequestHead("GET", b"/", ())

logger = logging.getLogger("corsproxy")


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


class Connection(web.RequestHandler):
    """One client connection, for as many exchanges as it lasts."""

    __slots__ = (
        "_deaf",
        "_head",
        "_limits",
        "_lossy",
        "_tunnel",
        "_wire",
        "_writing",
        "client",
        "ended_by",
        "exchange",
        "is_full",
        "reading",
        "secure",
        "service",
    )

    def __init__(self, server: "ProxyServer", service: Service) -> None:
        limits = service.policy.limits
        super().__init__(
            server,
            loop=server.loop,
            keepalive_timeout=_NEVER,
            logger=logger,
            access_log=None,  # type: ignore[arg-type] # None is how aiohttp itself switches it off
            auto_decompress=False,
            max_line_size=limits.target,
            max_field_size=limits.field,
            max_headers=limits.fields,
            lingering_time=0,
            read_bufsize=_READ_BUFFER,
        )
        self.service = service
        self.client = ""
        self.secure = False
        self.exchange: Exchange | None = None
        """The exchange in progress, from when its message is taken from the queue."""
        self.is_full = False
        """Whether the listener had no room for this connection: it gets one answer."""
        self.ended_by: str | None = None
        """What ended the connection, where it was not the client."""
        self.reading = Deadline(server.loop, self._overdue)
        """How long the client may take with what is awaited of it now."""
        self._writing = WriteWatch(server.loop, limits.write_timeout, self._stalled)
        self._limits = limits
        self._head = UnfinishedHead(limits)
        self._lossy: RawRequestMessage | None = None  # see must_end_behind
        self._deaf = False  # whether what arrives is thrown away
        self._tunnel: Intake | None = None
        self._wire: asyncio.Transport | None = None  # stays until the connection is lost

    # The connection's life.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = self._wire = cast(asyncio.Transport, transport)
        wire.set_write_buffer_limits(high=_WRITE_BUFFER)
        peer = wire.get_extra_info("peername")
        # A Unix socket's peer is a string, and names nobody.
        self.client = peer[0] if isinstance(peer, tuple) else ""
        self.secure = wire.get_extra_info("sslcontext") is not None
        self.reading.set(self._limits.head_timeout)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.reading.stop()
        self._writing.stop()
        self._wire = None
        super().connection_lost(exc)

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
        return not (self.is_idle or self._deaf) and (
            self.exchange is None or not self.exchange.is_endless
        )

    def end_exchange(self, *, keep_alive: bool) -> None:
        """Wait for the next request, or for the close that follows."""
        self.exchange = None
        if self._wire is None:
            return
        if not keep_alive:
            self._writing.start(self._wire)
        elif self._head:
            self.reading.set(self._limits.head_timeout)
        else:
            self.reading.set(self._limits.keepalive_timeout)

    # Reading.

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        in_body = self._in_body()
        waiting = len(self._messages)
        super().data_received(data)
        if len(self._messages) != waiting:
            self._requests_arrived(data)
        elif not in_body and not self._upgraded:
            self._head_grew(data)

    def _in_body(self) -> bool:
        if self._messages:
            return not self._messages[-1][1].is_eof()
        return self.exchange is not None and not self.exchange.payload.is_eof()

    def _requests_arrived(self, data: bytes) -> None:
        message, payload = self._messages[-1]
        self.reading.clear()
        if not isinstance(message, RawRequestMessage):
            self._head.add(data)
            self._parser_failed()
            return
        if self._head:
            data = self._head.take() + data
        if message.upgrade and not self._upgraded:
            if len(self._messages) == 1 and payload.is_eof():
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
                self._deaf = True
                self._head.take()
                self.close()

    def _parser_failed(self) -> None:
        """The parser's error waits its turn as a message; a body that it broke fails now."""
        self._deaf = True
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
        """Drop the connection if the client has left it while nothing is read from it."""
        wire = self.transport
        if wire is not None and self.exchange is not None and not wire.is_reading():
            sock = wire.get_extra_info("socket")
            if has_left(sock, half_close=self._tunnel is not None):
                self.abort("client-left")

    # Answers to what is no request.

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
        if self._deaf:
            self.force_close()
        elif self.exchange is not None:
            self.exchange.payload.set_exception(BodyRefusedError(Code.BODY_TIMEOUT))
        elif self._head:
            self._head.take()
            self._refuse(refuse(self.service.policy, _NO_REQUEST, Code.HEAD_TIMEOUT))
        else:
            self.force_close()

    def _refuse(self, answer: Answer) -> None:
        """Answer outside of an exchange, and end the connection."""
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

    # Writing.

    def send(self, data: bytes) -> None:
        """Write; raises ClientLeftError where nobody is left to read."""
        if self.transport is None:
            raise ClientLeftError
        self.transport.write(data)

    async def drained(self) -> None:
        """Wait while the client does not read. Raises ClientLeftError."""
        if not self.writing_paused:
            return
        if self._wire is not None:
            self._writing.start(self._wire)
        try:
            await self._drain_helper()
        except ConnectionError as error:
            raise ClientLeftError from error
        finally:
            self._writing.clear()
        if self.transport is None:
            raise ClientLeftError

    def _stalled(self) -> None:
        self.abort("client-stalled")

    # Ending.

    def end_in_stages(self) -> None:
        """Send no more, and throw away what arrives until the client has closed.

        Closing at once would answer bytes that are still on their way with a reset,
        which can destroy the answer before the client has read it (RFC 9112, 9.6).
        """
        self._deaf = True
        wire = self.transport
        if wire is None or not wire.can_write_eof():
            self.force_close()
            return
        wire.write_eof()
        wire.resume_reading()
        self.reading.set(LINGER_S)

    async def ended(self) -> None:
        """Wait for the end of a connection that is ended in stages: it never returns,
        because losing the connection cancels whoever waits here."""
        if self.transport is not None:
            await asyncio.get_running_loop().create_future()

    def force_close(self) -> None:
        """Close once what is written has gone out, or the client stops reading it."""
        if self._wire is not None:
            self._writing.start(self._wire)
        super().force_close()

    def abort(self, cause: str | None = None, *, reset: bool = True) -> None:
        """Drop the connection, so that nothing sent so far can pass for complete.

        `reset` false ends it without a reset, which spares what the client has not read
        yet; for content whose framing shows that it is cut.
        """
        if self.ended_by is None:
            self.ended_by = cause
        wire = self._wire
        if wire is None:
            return
        if reset and not wire.is_closing():
            sock = wire.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        wire.abort()

    def hang_up(self) -> None:
        """End whatever is in progress: a stream by closing, all else by a reset, so that
        no cut response can pass for complete."""
        if self.ended_by is None:
            self.ended_by = "shutdown"
        if self.is_awaited:
            self.abort()
        else:
            self.force_close()

    # Tunnels.

    def can_switch(self, message: RawRequestMessage) -> bool:
        """Whether everything behind the request is at hand for a tunnel."""
        return self._upgraded and message is not self._lossy and not self._messages

    def switch(self) -> Intake:
        """Read no more requests: return where everything that arrives now goes."""
        intake = self._tunnel = Intake(self)
        self.set_parser(TunnelParser(intake))  # type: ignore[arg-type] # see the class
        return intake

    def hold(self) -> None:
        self.pause_reading()

    def flow(self) -> None:
        self.resume_reading(resume_parser=False)

    def write_eof(self) -> None:
        """Close the sending side."""
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
