"""Servers around the proxy under test: pages, our own upstreams and others."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from tests.browser.programs import httpbin_gunicorn, program, running


def loopback_sockets() -> tuple[list[socket.socket], int]:
    """Return sockets on 127.0.0.1 and, where there is IPv6, ::1, and their common port."""
    for _ in range(20):
        first = socket.create_server(("127.0.0.1", 0))
        port = first.getsockname()[1]
        try:
            return [first, socket.create_server(("::1", port), family=socket.AF_INET6)], port
        except OSError:
            if not _has_ipv6():
                return [first], port
            first.close()
    raise RuntimeError("no port is free on both loopback addresses")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve `handler` on both loopback addresses; yields the port."""
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    sockets, port = loopback_sockets()
    try:
        for each in sockets:
            await web.SockSite(runner, each, ssl_context=tls).start()
        yield port
    finally:
        await runner.cleanup()


SANDBOXED = "/sandboxed/"


async def blank_page(request: web.BaseRequest) -> web.Response:
    """A page to call from, of an opaque origin at SANDBOXED. Its icon keeps the browser from
    asking for one."""
    html = "<!doctype html><html lang=en><title>page</title><link rel=icon href=data:,>"
    sandbox = {"Content-Security-Policy": "sandbox allow-scripts"}
    headers = sandbox if request.path == SANDBOXED else None
    return web.Response(text=html, content_type="text/html", headers=headers)


class Received(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    target: str
    """The request target as it came."""


class RecordingUpstream:
    """An upstream that answers everything with JSON and remembers every request."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def saw(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.received.append(
            Received(request.method, request.path, dict(request.headers), body, request.raw_path)
        )
        if request.path == "/events":
            return await self._events(request)
        response = web.json_response(
            {
                "method": request.method,
                "path": request.raw_path,
                "cookie": request.headers.get("Cookie"),
            },
            headers={
                "Access-Control-Allow-Origin": "*",  # to be replaced, never repeated
                "X-Total-Count": "3",
                "X-Request-Id": "r-1",
            },
        )
        if request.path == "/login":
            response.set_cookie(
                "session", "s-1", httponly=True, secure=True, samesite="None", domain="api.test"
            )
        return response

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        """Three events, each sent only when the page has had time to see the one before."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(3):
            await response.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(0.05)
        return response


@asynccontextmanager
async def recording_upstream() -> AsyncIterator[RecordingUpstream]:
    upstream = RecordingUpstream()
    async with serving(upstream.handle) as port:
        upstream.port = port
        yield upstream


@asynccontextmanager
async def httpbin() -> AsyncIterator[str]:
    """httpbin, run by gunicorn; yields its URL."""
    arguments = ["--bind=127.0.0.1:0", "--threads=8", "--no-control-socket", "httpbin:app"]
    async with running([httpbin_gunicorn(), *arguments]) as server:
        line = await server.until(lambda line: "Listening at: http://" in line)
        yield line.partition("Listening at: ")[2].split()[0]


NGINX_CONF = """
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  default_type application/octet-stream;
  types {{ text/plain txt; application/json json; }}
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  gzip on;
  gzip_types text/plain application/json;
  gzip_min_length 100;
  {servers}
}}
"""
FILES = """
server {
  listen 127.0.0.1:{port};
  root {directory}/files;
}
"""


@asynccontextmanager
async def nginx(directory: Path, configuration: str = FILES) -> AsyncIterator[str]:
    """Debian's nginx; yields its URL. `configuration` is what stands inside of `http`, by default
    a server of the files of `directory`/files."""
    executable = program("nginx")
    # nginx cannot take a free port by itself, but it inherits listening sockets.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        conf = directory / "nginx.conf"
        # As root its workers would become somebody who may not read a test's directory.
        user = "user root;" if os.getuid() == 0 else ""
        own = configuration.replace("{port}", str(port)).replace("{directory}", str(directory))
        conf.write_text(NGINX_CONF.format(user=user, directory=directory, servers=own))
        arguments = [executable, "-c", str(conf), "-p", str(directory), "-e", "stderr"]
        environ = {"NGINX": f"{listener.fileno()};"}
        async with running(arguments, environ=environ, pass_fds=[listener.fileno()]):
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def broken_peer() -> AsyncIterator[str]:
    """An upstream that begins every answer and ends none; yields its URL.

    /length promises more bytes than it sends, /chunked never sends its last chunk, and
    /close resets a body that only the connection's end would have delimited.
    """
    heads = {
        b"/length": b"Content-Length: 100000\r\n\r\n" + b"x" * 1000,
        b"/chunked": b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n",
        b"/close": b"Connection: close\r\n\r\n" + b"x" * 1000,
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            rest = heads[head.split(b" ")[1]]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + rest)
            await writer.drain()
            raw = writer.get_extra_info("socket")
            linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # close with a reset
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
