"""The demo's web pages: one that the allowlist names and one that it does not.

The same application serves both from memory, on two ports, which makes them two origins. It
also tells the page what it cannot find out by itself: where the other parts are, what they
saw, and what the allowlist says and how it can be edited.
"""

import json
from contextlib import suppress
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from corsproxy.demo.allowlist import DemoAllowlist
from corsproxy.demo.observations import Observations
from corsproxy.shell.admin.inspector.application import read_files


class Places(NamedTuple):
    """The origins of the demo's four parts."""

    page: str
    elsewhere: str
    api: str
    proxy: str

    @property
    def content_security_policy(self) -> str:
        """The origins that the pages may load from and call; no inline code."""
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                f"connect-src 'self' {self.api} {self.proxy}",
                f"frame-src {self.elsewhere}",
                f"frame-ancestors {self.page}",
                "base-uri 'none'",
                "form-action 'none'",
                "require-trusted-types-for 'script'",
            )
        )


class Pages:
    """Serves both pages and their requests."""

    def __init__(
        self,
        places: Places,
        observations: Observations,
        allowlist: DemoAllowlist,
        inspector: str | None = None,
    ) -> None:
        """`inspector` is the URL that opens the proxy's inspector."""
        self._places = places
        self._inspector = inspector
        self._observations = observations
        self._allowlist = allowlist
        self._files = read_files("corsproxy.demo")
        pages = (places.page, places.elsewhere)
        self._hosts = frozenset(origin.removeprefix("http://") for origin in pages)

    def application(self) -> web.Application:
        """Return the server's application; its shutdown ends `observations`."""
        app = web.Application(middlewares=[self._guard], client_max_size=512)
        app.on_response_prepare.append(self._protect)
        app.on_shutdown.append(self._close)
        app.add_routes(
            [
                web.get("/", self._serve_file),
                web.get("/setup.json", self._setup),
                web.get("/observed", self._follow),
                web.get("/policy", self._read_policy),
                web.post("/policy", self._edit_policy),
                web.get("/{name}", self._serve_file),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # Otherwise any site could become this origin with a name that resolves to 127.0.0.1.
        if request.host not in self._hosts:
            raise web.HTTPMisdirectedRequest(text="this is the demo of corsproxy\n")
        return await handler(request)

    async def _protect(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = self._places.content_security_policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"

    async def _close(self, _: web.Application) -> None:
        self._observations.close()

    async def _serve_file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        if name not in self._files:
            raise web.HTTPNotFound
        body, content_type = self._files[name]
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _setup(self, _: web.Request) -> web.Response:
        return web.json_response({**self._places._asdict(), "inspector": self._inspector})

    async def _read_policy(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._allowlist.as_json()))

    async def _edit_policy(self, request: web.Request) -> web.Response:
        # Browsers send the origin of the page with a POST, and no page can forge it.
        if request.headers.get("Origin") != self._places.page:
            raise web.HTTPForbidden
        _edit(self._allowlist, await request.read())
        return await self._read_policy(request)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the page was closed
            async for entry in self._observations.follow():
                await response.write(f"data: {json.dumps(entry)}\n\n".encode())
        return response


def _edit(allowlist: DemoAllowlist, body: bytes) -> None:
    try:
        command = json.loads(body)
        if command.get("reset"):
            allowlist.reset()
        else:
            allowlist.allow(command["allow"])
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise web.HTTPUnprocessableEntity from error
