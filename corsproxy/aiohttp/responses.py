"""Response heads written by aiohttp, without the fields that it would add by itself."""

from typing import Final

from aiohttp import web

from corsproxy.core.messages import ClientHead, Framing

# Fields that aiohttp writes itself.
_FRAMING: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})
_HANDSHAKE: Final = _FRAMING | {
    b"upgrade", b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions"
}  # fmt: skip
_PROTOCOL: Final = b"sec-websocket-protocol"


class Plain(web.StreamResponse):
    """A response to which aiohttp adds no Content-Type and no Server."""

    sent: frozenset[str] = frozenset()
    """Which of these two fields the response has of its own."""

    def leave_out(self) -> None:
        """Remove what aiohttp has added; for `on_response_prepare`."""
        for name in ("Content-Type", "Server"):
            if name not in self.sent:
                self.headers.pop(name, None)

    def fill(self, head: ClientHead, own: frozenset[bytes]) -> None:
        """Add the fields of `head`, except those that are aiohttp's `own`."""
        for name, value in head.fields:
            if name.lower() not in own:
                self.headers.add(name.decode("ascii"), _text(value))
        self.sent = frozenset(name for name in ("Content-Type", "Server") if name in self.headers)


class PlainWebSocket(Plain, web.WebSocketResponse):
    """A 101 to which aiohttp adds no Content-Type and no Server."""


def plain_response(head: ClientHead) -> Plain:
    """Return a response that has not been sent yet."""
    response = Plain(status=head.status, reason=head.reason.decode("latin-1"))
    response.fill(head, _FRAMING)
    if head.framing is Framing.CHUNKED:
        response.enable_chunked_encoding()
    return response


def websocket_response(head: ClientHead, largest_message: int) -> PlainWebSocket:
    """Return the 101 that switches to a WebSocket without extensions."""
    protocols = [_text(value) for name, value in head.fields if name.lower() == _PROTOCOL]
    response = PlainWebSocket(
        protocols=protocols,
        autoping=False,
        autoclose=False,
        compress=False,
        max_msg_size=largest_message,
    )
    response.fill(head, _HANDSHAKE)
    return response


def can_open_websocket(request: web.Request) -> bool:
    """Whether the request is a WebSocket's opening handshake (RFC 6455, 4.2.1)."""
    offered = request.headers.getall("Sec-WebSocket-Protocol", [])
    protocols = [name.strip() for line in offered for name in line.split(",")]
    return web.WebSocketResponse(protocols=protocols).can_prepare(request).ok


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
