"""The admin listener: liveness, readiness, metrics. Never any CORS field.

It has a port of its own, so that it shadows no path of an upstream, and it is as
careful about who asks as the proxy is: a page whose name was rebound to this address
gets nothing (the Host check), and no page on another origin can read an answer. Its
connections are few, because each takes a descriptor that the proxy's clients need.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from http import HTTPStatus

# aiohttp.web would bring the framework along, for memory that nobody uses.
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response
from aiohttp.web_server import Server

from corsproxy.core.guard import check_host
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import FACTS
from corsproxy.shell.process.figures import Snapshot

# Probes and scrapes need a handful.
_MOST_CONNECTIONS = 32
_KEEPALIVE_SECONDS = 30.0
_LINGERING_SECONDS = 1.0
_SHUTDOWN_SECONDS = 1.0

_FIELDS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "corsproxy",
    "X-Content-Type-Options": "nosniff",
}
_TEXT = "text/plain; charset=utf-8"
_PATHS = "/livez, /readyz, /healthz and /metrics"


class Phase(StrEnum):
    """Where a run is; /readyz says 200 in one of them only."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class AdminListener:
    """Answers on the admin address until `close`."""

    def __init__(
        self,
        *,
        phase: Callable[[], Phase],
        policy: Callable[[], Policy],
        snapshot: Callable[[], Awaitable[Snapshot]],
    ) -> None:
        self._phase = phase
        self._policy = policy
        self._snapshot = snapshot
        self._server: Server | None = None
        self._listening: list[asyncio.Server] = []

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that already listen."""
        # aiohttp logs a malformed request with the bytes of its header.
        quiet = logging.getLogger("corsproxy.admin")
        quiet.disabled = True
        self._server = server = _Server(
            self._answer,
            access_log=None,
            logger=quiet,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
        )
        loop = asyncio.get_running_loop()
        for each in sockets:
            self._listening.append(await loop.create_server(server, sock=each))

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for each in self._listening:
            each.close()
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(_SHUTDOWN_SECONDS)

    async def _answer(self, request: BaseRequest) -> Response:
        hosts = [value for name, value in request.raw_headers if name.lower() == b"host"]
        refusal = check_host(self._policy(), hosts, request.version.minor)
        if refusal is not None:
            status = FACTS[refusal.code].status
            return _text(
                status,
                f"{refusal.detail}\nAsk for localhost or an address, "
                "or add the name to allowed_hosts.",
            )
        if request.method not in ("GET", "HEAD"):
            return _text(405, "Only GET and HEAD.", {"Allow": "GET, HEAD"})
        match request.raw_path.partition("?")[0]:
            case "/livez":
                return _text(200, "ok")
            case "/readyz" | "/healthz":
                phase = self._phase()
                return _text(200 if phase is Phase.READY else 503, phase)
            case "/metrics":
                return await self._metrics_page(request.headers.get("Accept", ""))
            case _:
                return _text(404, f"There is {_PATHS}.")

    async def _metrics_page(self, accept: str) -> Response:
        try:
            from corsproxy.shell.process.metrics import exposition
        except ImportError:
            return _text(501, "metrics need a package: pip install prometheus_client")
        body, content_type = exposition(await self._snapshot(), accept)
        headers = {**_FIELDS, "Content-Type": content_type}
        return Response(body=body, headers=headers)


class _Connection(RequestHandler):
    """Answers what is no request in our words: aiohttp's repeat what was sent."""

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Response:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            logging.getLogger("corsproxy").error("fault in the admin listener", exc_info=exc)
        response = _text(status, "This cannot be answered.")
        response.force_close()
        return response


class _Server(Server):
    """Keeps few connections: the oldest makes room for one too many, so that whoever holds
    them all keeps no probe away."""

    def __init__(self, handler: Callable[[BaseRequest], Awaitable[Response]], **settings: object):
        super().__init__(handler, **settings)  # type: ignore[arg-type] # aiohttp's own names
        self._settings = settings
        self._open: dict[RequestHandler, None] = {}

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._settings)  # type: ignore[arg-type]

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open[handler] = None
        if len(self._open) > _MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.force_close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.pop(handler, None)


def _text(status: int, text: str, fields: dict[str, str] | None = None) -> Response:
    reason = HTTPStatus(status).phrase
    headers = {**_FIELDS, "Content-Type": _TEXT, **(fields or {})}
    return Response(status=status, reason=reason, text=f"{text}\n", headers=headers)
