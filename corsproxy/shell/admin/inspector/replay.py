"""Sends a captured request again, through the proxy's own listener.

The replay is decided and captured like a browser's request, and appears as a new row.
A request that is not safe to repeat is sent only after a confirmation.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import NamedTuple

from corsproxy.core.fields import is_forbidden_request_header
from corsproxy.core.guard import is_origin
from corsproxy.core.messages import Field
from corsproxy.core.methods import CORS_SAFELISTED_METHODS
from corsproxy.errors import CorsproxyError
from corsproxy.shell.admin.inspector.capture import Capture, Expected
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import is_unread, page_method_of
from corsproxy.shell.system.binding import CONNECTABLE, Bound

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PATIENCE_SECONDS = 70.0
_ARRIVAL_SECONDS = 5.0
# Fields that belong to the connection of the original request.
_CONNECTIONS_OWN = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade",
     b"content-length", b"expect", b"proxy-connection", b"http2-settings"}
)  # fmt: skip
_BROWSERS_OWN = frozenset({b"cookie", b"authorization"})
# Fields that scripts may set without a preflight (Fetch, "CORS-safelisted request-header").
_SAFELISTED = frozenset(
    {b"accept", b"accept-language", b"content-language", b"user-agent", b"cache-control",
     b"pragma", b"priority", b"if-none-match", b"if-modified-since"}
)  # fmt: skip


class Replay(NamedTuple):
    """How a request is to be sent again."""

    origin: str | None = None
    """The origin to send; None for the original one."""
    cookies: bool = True
    """Whether to send its cookies and Authorization."""
    preflight: bool = False
    """Whether to send only the preflight that a browser would send first."""
    confirmed: bool = False
    """Whether the user has confirmed a request that may change something."""


class ReplayError(CorsproxyError):
    """Nothing was sent; the message says why."""

    def __init__(self, message: str, *, asks: bool = False) -> None:
        super().__init__(message)
        self.asks = asks
        """Whether it would be sent if confirmed."""


class Listener(NamedTuple):
    """Where the proxy listens."""

    host: str
    port: int
    secure: bool = False

    @classmethod
    def of(cls, bound: Bound) -> "Listener":
        """Return the address at which this process reaches its own listener."""
        host, port = bound.sockets[0].getsockname()[:2]
        return cls(CONNECTABLE.get(host, host), port, bound.address.https)


class Replayer:
    """Sends requests to the proxy itself."""

    def __init__(self, listener: Listener, capture: Capture) -> None:
        self._listener = listener
        self._capture = capture
        self._sending: set[asyncio.Task[None]] = set()

    async def replay(self, row: Row, wanted: Replay) -> int:
        """Send it, and return the id of the new row as soon as there is one.

        Raises ReplayError.
        """
        method, data = request_bytes(row, wanted)
        expected = Expected(method, row.main.request.target, row.id)
        self._capture.expect(expected)
        task = asyncio.create_task(_send(self._listener, data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        try:
            return await asyncio.wait_for(expected.arrival, _ARRIVAL_SECONDS)
        except TimeoutError:
            raise ReplayError("The proxy did not accept the request.") from None
        finally:
            self._capture.forget(expected)


def request_bytes(row: Row, wanted: Replay) -> tuple[str, bytes]:
    """Return the method and the bytes to send to the proxy. Raises ReplayError."""
    exchange = row.main
    method = page_method_of(row)
    if wanted.origin is not None and not is_origin(wanted.origin.encode("utf-8")):
        raise ReplayError(f"{wanted.origin} is not an origin; one is https://app.example.com")
    if is_unread(exchange):
        raise ReplayError("It could not be read as a request, so it cannot be sent again.")
    if wanted.preflight or (row.call is None and exchange.is_preflight):
        fields = _preflight_fields(row, method, wanted)
        return "OPTIONS", _serialized("OPTIONS", exchange, fields, b"")
    if exchange.status == 101 or exchange.value(b"upgrade") is not None:
        raise ReplayError("A WebSocket cannot be replayed: only the page can open it again.")
    if not exchange.request_body.is_whole:
        raise ReplayError("Its body is longer than the inspector keeps.")
    if method not in _SAFE_METHODS and not wanted.confirmed:
        question = f"{method} may change something in the API again."
        raise ReplayError(question, asks=True)
    fields = [
        (name, value)
        for name, value in exchange.request.fields
        if name.lower() not in _CONNECTIONS_OWN
        and (wanted.cookies or name.lower() not in _BROWSERS_OWN)
    ]
    body = exchange.request_body.kept
    return method, _serialized(method, exchange, _from(wanted.origin, fields), body)


def _from(origin: str | None, fields: list[Field]) -> list[Field]:
    """Return the fields as a page on `origin` would send them."""
    if origin is None:
        return fields
    kept = [each for each in fields if each[0].lower() not in (b"origin", b"referer")]
    kept = [(n, b"cross-site" if n.lower() == b"sec-fetch-site" else v) for n, v in kept]
    return [*kept, (b"Origin", origin.encode("ascii"))]


def _preflight_fields(row: Row, method: str, wanted: Replay) -> list[Field]:
    """Return the fields of the row's preflight, or of the one that a browser would have sent."""
    if row.preflight is not None:
        fields = [
            (name, value)
            for name, value in row.preflight.request.fields
            if name.lower() not in _CONNECTIONS_OWN
        ]
        return _from(wanted.origin, fields)
    exchange = row.main
    origin = exchange.value(b"origin")
    if origin is None and wanted.origin is None:
        raise ReplayError("It has no Origin, so there is no preflight for it.")
    names = sorted({name.lower() for name, _ in exchange.request.fields if _needs_asking(name)})
    fields = [(b"Host", exchange.value(b"host") or b"localhost")]
    fields += [] if origin is None else [(b"Origin", origin)]
    fields.append((b"Access-Control-Request-Method", method.encode("ascii")))
    if names:
        fields.append((b"Access-Control-Request-Headers", b",".join(names)))
    return _from(wanted.origin, fields)


def _needs_asking(name: bytes) -> bool:
    lower = name.lower()
    if lower in _SAFELISTED or lower.startswith((b"sec-", b"x-forwarded-")):
        return False
    return lower not in _CONNECTIONS_OWN and not is_forbidden_request_header(lower)


def _serialized(method: str, exchange: Exchange, fields: list[Field], body: bytes) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method.encode("ascii"), exchange.request.target)]
    lines += [name + b": " + value for name, value in fields]
    if body or (method not in CORS_SAFELISTED_METHODS and method != "OPTIONS"):
        lines.append(b"Content-Length: %d" % len(body))
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def _send(listener: Listener, data: bytes) -> None:
    """Send `data`, and discard the response, which the ring has captured."""
    context = None
    if listener.secure:
        # We connect to ourselves; the address of our own socket proves it.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(
                listener.host, listener.port, ssl=context
            )
            try:
                writer.write(data)
                while await reader.read(64 * 1024):
                    pass
            finally:
                writer.close()
