"""A request that aiohttp has read, and its response; a `ClientExchange`."""

import asyncio
from contextlib import suppress
from typing import Final

from aiohttp import HttpVersion10, HttpVersion11, web

from corsproxy.aiohttp.responses import can_open_websocket, plain_response
from corsproxy.aiohttp.websocket import WebSocketStream
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.writer import CONTINUE
from corsproxy.shell.listener.client_exchange import ClientExchange
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.upstream.bond import Bond

_EXTENSIONS: Final = b"sec-websocket-extensions"


def head_of(request: web.Request) -> RequestHead:
    """Return the request for the core."""
    # aiohttp reads and writes the frames of a WebSocket, and has agreed to no extension.
    # Other protocols cannot be switched to; a server may ignore Upgrade.
    hidden = _EXTENSIONS if is_websocket(request) else b"upgrade"
    fields = [field for field in request.raw_headers if field[0].lower() != hidden]
    if is_decoded(request):
        fields = _of_decoded(fields)
    minor_version = 1 if request.version >= HttpVersion11 else 0
    target = request.raw_path.encode("utf-8", "surrogateescape")
    return RequestHead(
        request.method,
        target,
        tuple(fields),
        minor_version=minor_version,
        client=request.remote or "",
        secure=request.secure,
    )


def is_decoded(request: web.Request) -> bool:
    """Whether aiohttp decodes the content of a request that has a Content-Encoding. It does so by
    default; `proxy_app` switches it off, but an application that it is mounted in may not."""
    return request.body_exists and request.content.total_compressed_bytes is not None


def _of_decoded(fields: list[Field]) -> list[Field]:
    """Return the fields of a request whose content was decoded: its length is that of the encoded
    content, and what comes after that many bytes would be another request."""
    found = [name.lower() for name, _ in fields]
    coding = found.index(b"content-encoding")
    kept = [
        field
        for at, field in enumerate(fields)
        if at != coding and found[at] not in (b"content-length", b"transfer-encoding")
    ]
    return [*kept, (b"Transfer-Encoding", b"chunked")]


def is_websocket(request: web.Request) -> bool:
    """Whether the client asks for a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def leave_it_waiting(request: web.Request) -> None:
    """Send no 100 Continue before the content is needed; an `expect_handler`."""


class AiohttpBody:
    """The `RequestBody` of an aiohttp request."""

    def __init__(self, client: "AiohttpExchange", request: web.Request, limits: Limits) -> None:
        self._client = client
        self._content = request.content
        self._limits = limits
        self.received = 0

    @property
    def at_end(self) -> bool:
        return self._content.at_eof() and not self._is_too_large()

    def take(self) -> bytes:
        if self._content.exception() is not None or self._content.at_eof():
            return b""
        data = self._content.read_nowait()
        self.received += len(data)
        return b"" if self._is_too_large() else data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        if self._is_too_large():
            raise BodyRefusedError(Code.BODY_TOO_LARGE)
        self._client.tell_to_continue()
        try:
            data = self._content.read_nowait() or await self._next()
        except TimeoutError:
            raise BodyRefusedError(Code.BODY_TIMEOUT) from None
        except (ConnectionError, web.RequestPayloadError) as error:
            if self._client.is_gone:
                raise ClientLeftError from error
            raise BodyRefusedError(Code.BAD_FRAMING) from error
        self.received += len(data)
        if self._is_too_large():
            raise BodyRefusedError(Code.BODY_TOO_LARGE)
        return data

    async def _next(self) -> bytes:
        if self._content.at_eof():
            return b""
        # `asyncio.timeout` needs an asyncio task, and the coroutine that sends content is not one.
        reading = asyncio.ensure_future(self._content.readany())
        try:
            done, _ = await asyncio.wait((reading,), timeout=self._limits.body_timeout)
        finally:
            reading.cancel()
        if not done:
            raise TimeoutError
        return reading.result()

    def _is_too_large(self) -> bool:
        return self._limits.body is not None and self.received > self._limits.body


class AiohttpExchange(ClientExchange):
    """The client's side of one exchange."""

    def __init__(self, request: web.Request, bond: Bond, write_timeout: float) -> None:
        head = head_of(request)
        length = None if is_decoded(request) else request.content_length
        # aiohttp takes others for HTTP, too, and would answer in kind.
        is_http1 = request.version in (HttpVersion10, HttpVersion11)
        super().__init__(head, bond, length, None if is_http1 else Code.VERSION_NOT_SUPPORTED)
        self.response: web.StreamResponse | None = None
        """The response that the handler returns."""
        self._request: Final = request
        self._write_timeout: Final = write_timeout
        self._awaits_continue = request.headers.get("Expect", "").lower() == "100-continue"
        self._pending: list[bytes] = []
        self._is_finished = False
        self._is_let_go = False
        self._ended_by: str | None = None
        self._body: AiohttpBody | None = None
        self._tunnel: WebSocketStream | None = None
        self._sent = 0

    # The request's content.

    def body(self, limits: Limits) -> AiohttpBody:
        self._body = AiohttpBody(self, self._request, limits)
        return self._body

    @property
    def received(self) -> int:
        if self._tunnel is not None:
            return self._tunnel.received
        return 0 if self._body is None else self._body.received

    @property
    def broken(self) -> Code | None:
        return None if self._request.content.exception() is None else Code.BAD_FRAMING

    def tell_to_continue(self) -> None:
        """The upstream wants the content: tell a client that waits for a 100."""
        if self._awaits_continue and not self.is_gone and self._request.transport is not None:
            self._request.transport.write(CONTINUE)
        self._awaits_continue = False

    # The response.

    def send_head(
        self, head: ClientHead, content: bytes = b"", *, is_all: bool, close: bool = False
    ) -> None:
        if self.is_gone:
            raise ClientLeftError
        if head.status == 101:
            self._tunnel = WebSocketStream(self._request, head)
            self.response = self._tunnel.response
            return
        self.response = plain_response(head)
        if close or head.framing is Framing.CLOSE:
            self.response.force_close()
        self._sent += sum(len(name) + len(value) + 4 for name, value in head.fields)
        self._put(content, is_all=is_all)

    @property
    def sent(self) -> int:
        return self._sent + (0 if self._tunnel is None else self._tunnel.sent)

    def send_body(self, piece: Piece) -> None:
        self._put(bytes(piece), is_all=False)

    def finish(self) -> None:
        self._put(b"", is_all=True)

    def _put(self, content: bytes, *, is_all: bool) -> None:
        if self.is_gone:
            raise ClientLeftError
        if content:
            self._pending.append(content)
            self._sent += len(content)
        self._is_finished = is_all

    @property
    def is_writing_paused(self) -> bool:
        return self._tunnel is None

    async def drained(self) -> None:
        response = self.response
        if response is None or self._tunnel is not None:
            return
        try:
            async with asyncio.timeout(self._write_timeout):
                await response.prepare(self._request)
                while self._pending:
                    await response.write(self._pending.pop(0))
                if self._is_finished:
                    await response.write_eof()
        except TimeoutError:
            self._ended_by = "client-stalled"
            raise ClientLeftError from None
        except ConnectionError as error:
            raise ClientLeftError from error

    def send_bare_fault(self) -> None:
        self.response = web.Response(status=500)
        self._is_finished = True

    def abort(self) -> None:
        self._pending.clear()
        is_others = self._is_let_go and (self.response is None or not self.response.prepared)
        if self._request.transport is not None and not is_others:
            self._request.transport.abort()

    def let_go(self) -> None:
        """The handler's caller no longer wants its response."""
        self._is_let_go = True

    # WebSockets.

    @property
    def can_switch(self) -> bool:
        return is_websocket(self._request) and can_open_websocket(self._request)

    def switch(self) -> WebSocketStream:
        if self._tunnel is None:
            raise RuntimeError("no 101 was sent")
        return self._tunnel

    # The client.

    @property
    def is_gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    @property
    def ended_by(self) -> str | None:
        return self._ended_by

    def end(self, cause: str) -> None:
        """End the exchange from this side."""
        self._ended_by = self._ended_by or cause

    async def close(self) -> None:
        """Send what is still queued, however the exchange ended."""
        if not self.is_gone:
            with suppress(ClientLeftError):
                await self.drained()
