"""One HTTP/1.1 connection to an upstream: one exchange after another, never two at once.

A request is sent in one write with the content that has already arrived, and the rest at the
upstream's pace while the response is awaited. Unexpected bytes close the connection and are
dropped. A truncated response never ends properly.
"""

import asyncio
import ssl
from typing import Final, Protocol

from corsproxy.core.messages import Framing, UpstreamRequest
from corsproxy.core.policy import Limits, Timeouts
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.http1.chunked import LAST_CHUNK, chunk
from corsproxy.http1.plain_response import PlainHeadReader
from corsproxy.http1.response_parser import ResponseParser
from corsproxy.http1.writer import RequestForm
from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.eager_task import EagerTask
from corsproxy.shell.streams.gathered import gathered
from corsproxy.shell.streams.outflow import Outflow
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.streams.seams import RequestBody
from corsproxy.shell.streams.unread import unread
from corsproxy.shell.upstream.addresses import Endpoint
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.handshake import refused_later
from corsproxy.shell.upstream.http1_response import Http1Response

# How much content is buffered for an upstream that does not read, besides the current piece.
_WRITE_BUFFER: Final = 16 * 1024
_TURNS_TO_CLOSE: Final = 5


class Keeper(Protocol):
    """The owner of a connection, notified when exchanges and the connection end."""

    def exchange_over(self, connection: "Http1Connection", *, reusable: bool) -> None:
        """An exchange is over; unless `reusable`, the connection is being dropped."""
        ...

    def lost(self, connection: "Http1Connection") -> None:
        """The connection is closed."""
        ...


class Http1Connection(asyncio.BufferedProtocol):
    """The protocol of one connection. `start` may be called while it is `usable`."""

    def __init__(
        self,
        keeper: Keeper,
        buffer: ReadBuffer,
        form: RequestForm,
    ) -> None:
        """`buffer` takes every read; `form` encodes a request's head."""
        self._keeper = keeper
        self._buffer = buffer
        self._form = form
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._expired)
        self._plain_heads = PlainHeadReader()
        self._parser: ResponseParser | None = None
        self._response: Http1Response | None = None
        self._timeouts = Timeouts()
        self._limits = Limits()
        self._idle_timeout: float | None = None
        self._upload: EagerTask | None = None
        self._client: Bond | None = None
        self._authenticates = False
        self.endpoint: Endpoint | None = None
        """The address that it is connected to."""
        self.born = self._loop.time()
        """When it was made, by the loop's clock."""
        self.bond: Bond | None = None
        """The client this connection is reserved for; None: it is shared."""
        self._lost_by: Exception | None = None
        self._held = False
        self._read_closed = False
        self._write_closed = False
        self.idle_since = 0.0
        """The loop's time when the last exchange ended."""

    @property
    def usable(self) -> bool:
        """Whether a request may be started: open, and between two exchanges."""
        return self._response is None and not self._transport.is_closing()

    def start(
        self,
        request: UpstreamRequest,
        content: bytes,
        body: RequestBody | None,
        timeouts: Timeouts,
        limits: Limits,
        client: Bond | None,
        now: float,
    ) -> Http1Response:
        """Send a request of `client` whose first `content` has been taken from `body`; `now` is
        the loop's time.

        `arrival` of the returned response raises UpstreamError, or what `body` raised.
        """
        head = self._form.serialize(request)
        response = Http1Response(self)
        self._response = response
        self._parser = ResponseParser(
            request.method,
            upgrade=request.upgrade,
            section_limit=limits.upstream_field_section,
            put=response.content.put,
            plain_heads=self._plain_heads,
        )
        self._timeouts = timeouts
        self._limits = limits
        self._client = client
        self._authenticates = request.authenticates_connection
        if body is None or request.framing is Framing.NONE:
            self._transport.write(head)
            if timeouts.response is None:
                self._deadline.clear()
            else:
                self._deadline.set_at(now + timeouts.response)
            return response
        chunked = request.framing is Framing.CHUNKED
        first = chunk(content) if chunked and content else content
        if body.at_end:
            self._transport.write(head + first + (LAST_CHUNK if chunked else b""))
            self._deadline.set(timeouts.response)
        else:
            self._transport.write(head + first)
            self._deadline.clear()
            self._upload = EagerTask(self._send_content(body, chunked=chunked), self._loop)
            self._upload.step()
        return response

    async def unused(self) -> UpstreamError:
        """Return why a connection was closed before its first request."""
        # The reason is known an iteration or two of the event loop after the close.
        for _ in range(_TURNS_TO_CLOSE):
            if self._lost_by is None:
                await asyncio.sleep(0)
        if isinstance(self._lost_by, ssl.SSLError):
            return refused_later(self._lost_by)
        detail = "the upstream closed the connection before it was asked"
        return UpstreamError(UpstreamFault.CLOSED, detail)

    def drop(self) -> None:
        """Close at once, whatever is going on; only for a connection that is idle."""
        self._deadline.stop()
        self._transport.abort()

    # The response's view of the connection: http1_response.Line.

    def give_up(self) -> None:
        """Drop the connection at once; the exchange has failed."""
        if self._response is not None:
            self._fail(ConnectionAbortedError("the exchange was given up"))

    def pause_reading(self) -> None:
        """Stop reading: too much was received and not taken."""
        if not self._held and not self._transport.is_closing():
            self._held = True
            self._transport.pause_reading()
            self._deadline.clear()

    def resume_reading(self) -> None:
        """Read on."""
        if self._held and not self._transport.is_closing():
            self._held = False
            self._transport.resume_reading()
            self._deadline.set(self._idle_timeout)

    async def write(self, data: bytes) -> None:
        """Write tunnel bytes, and wait while the upstream does not read.

        Raises ConnectionError if the connection is gone.
        """
        await self._outflow.write(data)

    def push(self, data: bytes) -> None:
        """Write a few tunnel bytes without waiting."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Close the tunnel's sending side, or both if the other is already closed."""
        self._write_closed = True
        if self._response is None or self._transport.is_closing():
            return
        if self._read_closed:
            self._close_tunnel(self._response)
        else:
            self._transport.write_eof()

    # The transport's view: asyncio.BufferedProtocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = gathered(transport, self._loop)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._outflow = Outflow(self._transport, self._stalled)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._response is None:
            return self._buffer.space()
        return self._buffer.space(self._response.content.most)

    def buffer_updated(self, nbytes: int) -> None:
        if self._response is None:
            # Unexpected bytes must not become the response to the next request.
            self.drop()
        else:
            self._feed(self._buffer.lent(nbytes))

    def eof_received(self) -> bool:
        """Return whether the sending side stays open, which only a tunnel needs."""
        response, parser = self._response, self._parser
        if response is None or parser is None:
            return False
        try:
            parser.feed_eof()
        except UpstreamError as error:
            self._fail(error)
            return False
        if not parser.switched:
            self._complete(response, parser)
            return False
        self._read_closed = True
        response.content.end()
        if self._write_closed:
            self._close_tunnel(response)
            return False
        response.content.wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.eof_received()
        elif self._response is not None and self._transport.get_extra_info("sslcontext") is None:
            # TLS does so itself.
            for received in unread(self._transport, self):
                self._feed(self._buffer.lent(received))
        self._lost_by = exc
        self._fail_lost(exc)
        self._deadline.stop()
        self._outflow.release()
        self._keeper.lost(self)

    def pause_writing(self) -> None:
        self._outflow.choke()

    def resume_writing(self) -> None:
        self._outflow.release()

    def _feed(self, data: memoryview) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None:
            return
        awaiting = parser.head is None
        try:
            parser.feed(data)
        except UpstreamError as error:
            # Its traceback would keep the received bytes alive.
            self._fail(error.with_traceback(None))
            return
        if parser.head is None:
            return
        if awaiting:
            endless = parser.switched or parser.event_stream
            self._idle_timeout = None if endless else self._timeouts.idle
            if endless:
                self._deadline.stop()
            response.arrive(parser.head)
        if parser.complete:
            self._complete(response, parser)
            return
        if not self._held:
            self._deadline.set(self._idle_timeout)
        response.content.wake()

    def _complete(self, response: Http1Response, parser: ResponseParser) -> None:
        keep_for = 0.0
        all_sent = self._upload is None and not self._outflow.choked
        if parser.persistent and all_sent:
            keep_for = self._limits.upstream_keepalive
            if parser.keep_alive is not None:
                # Closing a second before the upstream does avoids sending a request into its close.
                keep_for = min(keep_for, parser.keep_alive - 1.0)
        head = parser.head
        if self._authenticates or (head is not None and head.authenticates_connection):
            self.bond = self._client
            if self.bond is None:
                keep_for = 0.0
        response.content.end()
        self._leave(response)
        if keep_for > 0:
            now = self.idle_since = self._loop.time()
            self.resume_reading()
            self._deadline.set_at(now + keep_for)
        else:
            self.drop()
        self._keeper.exchange_over(self, reusable=keep_for > 0)
        response.content.wake()

    def _fail(self, failure: BaseException) -> None:
        response = self._response
        if response is None:
            return
        self._leave(response)
        response.content.fail(failure)
        self.drop()
        self._keeper.exchange_over(self, reusable=False)
        response.content.wake()

    def _close_tunnel(self, response: Http1Response) -> None:
        """Close both sides, after what has been written."""
        response.content.end()
        self._leave(response)
        self._deadline.stop()
        self._transport.close()
        self._keeper.exchange_over(self, reusable=False)
        response.content.wake()

    def _leave(self, response: Http1Response) -> None:
        if self._parser is not None:
            response.detach(touched=not self._parser.untouched)
        self._response = self._parser = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None

    def _fail_lost(self, exc: Exception | None) -> None:
        parser = self._parser
        if parser is None:
            return
        if parser.switched:
            self._fail(ConnectionResetError("the upstream has reset the connection"))
        elif parser.head is not None:
            detail = "the upstream reset the connection inside the content"
            self._fail(UpstreamError(UpstreamFault.TRUNCATED, detail))
        elif isinstance(exc, ssl.SSLError) and exc.reason:
            self._fail(refused_later(exc))
        else:
            detail = "the upstream reset the connection before it had answered"
            self._fail(UpstreamError(UpstreamFault.CLOSED, detail))

    def _expired(self) -> None:
        if self._response is None:
            self.drop()
        elif self._parser is not None and self._parser.head is None:
            detail = f"the upstream did not answer within {self._timeouts.response:g} s"
            self._fail(UpstreamError(UpstreamFault.RESPONSE_TIMEOUT, detail))
        else:
            detail = f"the upstream sent nothing for {self._idle_timeout:g} s"
            self._fail(UpstreamError(UpstreamFault.IDLE_TIMEOUT, detail))

    def _stalled(self, stalled: bool) -> None:
        """The response timeout runs while the upstream does not take content, but not while the
        client has none to send."""
        if self._parser is not None and self._parser.head is None:
            self._deadline.set(self._timeouts.response if stalled else None)

    async def _send_content(self, body: RequestBody, *, chunked: bool) -> None:
        try:
            await self._outflow.send_content(body, chunked=chunked)
        except Exception as failure:  # noqa: BLE001 - raised where the response is awaited
            self._upload = None
            self._fail(failure)
            return
        self._upload = None
        if self._parser is not None and self._parser.head is None:
            self._deadline.set(self._timeouts.response)
