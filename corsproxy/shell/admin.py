"""The admin listener: liveness, readiness, metrics. Never any CORS field.

It has a port of its own, so that it shadows no path of an upstream, and it is as
careful about who asks as the proxy is: a page whose name was rebound to this address
gets nothing (the Host check), and no page on another origin can read an answer.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus

from aiohttp import web

from corsproxy.core.guard import check_host
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import FACTS
from corsproxy.shell.metrics import Gauges, Metrics, MetricsUnavailableError

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
        metrics: Metrics,
        *,
        phase: Callable[[], Phase],
        policy: Callable[[], Policy],
        gauges: Callable[[], Gauges],
    ) -> None:
        self._metrics = metrics
        self._phase = phase
        self._policy = policy
        self._gauges = gauges
        self._runner: web.ServerRunner | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that already listen."""
        # aiohttp logs a malformed request with the bytes of its header.
        quiet = logging.getLogger("corsproxy.admin")
        quiet.disabled = True
        server = web.Server(
            self._answer,
            access_log=None,
            logger=quiet,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._runner = runner
        for each in sockets:
            await web.SockSite(runner, each).start()

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
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
                return self._metrics_page(request.headers.get("Accept", ""))
            case _:
                return _text(404, f"There is {_PATHS}.")

    def _metrics_page(self, accept: str) -> web.Response:
        try:
            body, content_type = self._metrics.exposition(accept, self._gauges())
        except MetricsUnavailableError as error:
            return _text(501, str(error))
        headers = {**_FIELDS, "Content-Type": content_type}
        return web.Response(body=body, headers=headers)


def _text(status: int, text: str, fields: dict[str, str] | None = None) -> web.Response:
    reason = HTTPStatus(status).phrase
    headers = {**_FIELDS, "Content-Type": _TEXT, **(fields or {})}
    return web.Response(status=status, reason=reason, text=f"{text}\n", headers=headers)
