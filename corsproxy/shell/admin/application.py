"""The admin application: liveness, readiness, metrics, drain. It never sends CORS fields.

Imported only if there is an admin listener. It checks its callers as strictly as the proxy
does. A page on another origin is refused, whatever it asks for. On loopback the Host check
also refuses a page whose name was rebound to this address; elsewhere the probes answer to
any name, because a kubelet, a Service and Prometheus each use their own.

More pages can be mounted beside these. They pass the same checks; `PATHS` tells the probes
apart from them.
"""

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from corsproxy.core.advice.operation import ADMIN_HOST, METRICS_PACKAGE
from corsproxy.core.guard import check_host
from corsproxy.core.verdicts import FACTS
from corsproxy.shell.admin.controls import Controls, Phase
from corsproxy.shell.system.memory import give_back
from corsproxy.shell.system.packages import installing

PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics", "/drain"})
"""Paths for programs. No page in a browser needs them, so a request with an Origin is refused."""

Mount = Callable[[web.Application], None]
"""Adds its routes, and its start-up and shutdown hooks, to the application."""

_FIELDS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_KNOWN = "There is /livez, /readyz, /healthz, /metrics, and POST /drain.\n"
# Sec-Fetch-Site of requests that did not come from another origin's page.
_OWN_SITES = frozenset({"none", "same-origin"})


def application(
    controls: Controls, *, is_loopback: bool, mount: Mount | None = None
) -> web.Application:
    """Return the admin application.

    `mount` adds pages beside the probes, only if the listener `is_loopback`.
    """

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = _refusal(controls, request, is_loopback=is_loopback)
        return refused or await _answer(request, handler)

    app = web.Application(middlewares=[checked])
    app.on_response_prepare.append(_add_fields)
    app.add_routes(_Probes(controls).routes())
    if mount is not None and is_loopback:
        mount(app)
    return app


class _Probes:
    """The handlers of `PATHS`."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._has_been_scraped = False

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/healthz", self._readyz),
            web.get("/metrics", self._metrics),
            web.post("/drain", self._drain),
        ]

    async def _livez(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        phase = self._controls.phase()
        return web.Response(text=f"{phase}\n", status=200 if phase is Phase.READY else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        try:
            from corsproxy.shell.admin.metrics import exposition
        except ImportError:
            text = f"{METRICS_PACKAGE}: {installing('prometheus_client')}\n"
            return web.Response(text=text, status=501)
        if not self._has_been_scraped:
            self._has_been_scraped = True
            # Free the memory that the import left over.
            give_back()
        accept = request.headers.get("Accept", "")
        content, content_type = exposition(await self._controls.snapshot(), accept)
        return web.Response(body=content, headers={"Content-Type": content_type})

    async def _drain(self, request: web.Request) -> web.Response:
        self._controls.drain()
        return web.Response(text="draining\n", status=202)


def _refusal(controls: Controls, request: web.Request, *, is_loopback: bool) -> web.Response | None:
    """Return the response that refuses a request, or None if it is welcome."""
    if is_loopback:
        hosts = [value.encode("utf-8", "surrogateescape") for value in _all(request, "Host")]
        refusal = check_host(controls.policy(), hosts, request.version.minor)
        if refusal is not None:
            status = FACTS[refusal.code].status
            return web.Response(text=f"{refusal.detail}\n{ADMIN_HOST}\n", status=status)
    origins = _all(request, "Origin")
    own = f"{request.scheme}://{request.host}"
    is_own = request.path not in PATHS and all(origin == own for origin in origins)
    sites = _all(request, "Sec-Fetch-Site")
    if (origins and not is_own) or not _OWN_SITES.issuperset(sites):
        return web.Response(text="The admin listener does not answer web pages.\n", status=403)
    return None


def _all(request: web.Request, name: str) -> list[str]:
    return request.headers.getall(name, [])


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(text=_KNOWN, status=404)
    except web.HTTPException:
        raise
    except Exception:  # one fault costs one response, and is logged
        logging.getLogger("corsproxy").exception("fault in the admin listener")
        return web.Response(text="This cannot be answered.\n", status=500)


async def _add_fields(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "corsproxy"
    for name, value in _FIELDS.items():
        response.headers.setdefault(name, value)
