"""Applications on real frameworks, each started as its users start it, on a free port."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.browser import servers
from tests.browser.programs import DEADLINE_S, program, running

APPS = Path(__file__).with_name("apps")


class Certificate(NamedTuple):
    """What a TLS server on 127.0.0.1 needs, and what trusts it."""

    cert_file: Path
    key_file: Path
    ca_file: Path

    @classmethod
    def made_in(cls, directory: Path) -> "Certificate":
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        made = cls(directory / "cert.pem", directory / "key.pem", directory / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(made.cert_file)
        issued.private_key_pem.write_to_path(made.key_file)
        authority.cert_pem.write_to_path(made.ca_file)
        return made

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


def free_port() -> int:
    """A port for those who cannot say which one they took."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def of_environment(name: str) -> str:
    """The path of a program among the frameworks of Python, in an environment of their own."""
    own = os.environ.get("HTTPBIN_ENVIRONMENT")
    found = (Path(own) if own else Path(sys.prefix) / "httpbin") / "bin" / name
    if not found.is_file():
        pytest.fail(f"the tests need {found}: run `make test` once", pytrace=False)
    return str(found)


@asynccontextmanager
async def _served(
    arguments: Sequence[str], port: int, said: str, tls: bool, environ: Mapping[str, str]
) -> AsyncIterator[str]:
    async with running(arguments, environ=environ, cwd=APPS) as server:
        await server.until(lambda line: said in line)
        yield f"http{'s' * tls}://127.0.0.1:{port}"


@asynccontextmanager
async def gunicorn(
    app: str, tls: Certificate | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    port = free_port()
    arguments = [of_environment("gunicorn"), f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    # With threads, it keeps connections.
    arguments += ["--threads=2"]
    if tls is not None:
        arguments += [f"--certfile={tls.cert_file}", f"--keyfile={tls.key_file}"]
    arguments.append(app)
    async with _served(arguments, port, "Booting worker", tls is not None, environ or {}) as url:
        yield url


@asynccontextmanager
async def uvicorn(
    app: str, tls: Certificate | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    port = free_port()
    arguments = [of_environment("uvicorn"), "--port", str(port), app]
    if tls is not None:
        arguments += ["--ssl-certfile", str(tls.cert_file), "--ssl-keyfile", str(tls.key_file)]
    async with _served(arguments, port, "Uvicorn running", tls is not None, environ or {}) as url:
        yield url


django = partial(gunicorn, "django_app:application")
fastapi = partial(uvicorn, "fastapi_app:app")


@asynccontextmanager
async def puma(
    app: str, tls: Certificate | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """A Rack application of `apps/`: Sinatra's or Rails's."""
    port = free_port()
    bind = f"tcp://127.0.0.1:{port}"
    if tls is not None:
        bind = f"ssl://127.0.0.1:{port}?key={tls.key_file}&cert={tls.cert_file}"
    arguments = [program("puma"), "-e", "production", "-b", bind, str(APPS / app)]
    async with _served(arguments, port, "Listening on", tls is not None, environ or {}) as url:
        yield url


def node_directory() -> Path:
    """Where `make frameworks` put the applications of `node/`, with what npm installs."""
    found = Path(os.environ.get("NODE_FRAMEWORKS") or Path(sys.prefix) / "node")
    if not (found / ".next" / "BUILD_ID").is_file():
        pytest.fail(f"nothing is built in {found}: run `make frameworks`", pytrace=False)
    return found


@asynccontextmanager
async def node(*arguments: str) -> AsyncIterator[str]:
    """A script of `node/` that says which port it took."""
    arguments = (program("node"), *arguments)
    async with running(arguments, cwd=node_directory()) as server:
        line = await server.until(lambda line: line.startswith("Listening on "))
        yield f"http://127.0.0.1:{line.split()[-1]}"


express = partial(node, "express_app.cjs")


@asynccontextmanager
async def next_js() -> AsyncIterator[str]:
    """Next.js, built for production."""
    port = free_port()
    command = [program("node"), "node_modules/next/dist/bin/next", "start", "-p", str(port)]
    quiet = {"NEXT_TELEMETRY_DISABLED": "1"}
    async with running(
        [*command, "-H", "127.0.0.1"], cwd=node_directory(), environ=quiet
    ) as server:
        await server.until(lambda line: "Ready in" in line)
        yield f"http://127.0.0.1:{port}"


# Each says whether a request is for /account.
NGINX = """
server {
  listen 127.0.0.1:{port};
  location / { return 200 other; }
  location = /account { return 200 account; }
  location /account/ { return 200 account; }
}
"""
HAPROXY = """
global
  expose-experimental-directives
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}
  http-request normalize-uri path-merge-slashes
  http-request normalize-uri percent-decode-unreserved
  acl is_account path,url_dec -m reg ^/account(/|$)
  http-request return status 200 content-type text/plain string account if is_account
  http-request return status 200 content-type text/plain string other
"""
CADDYFILE = """{
  admin off
  auto_https off
}
http://127.0.0.1:{port}, http://localhost:{port} {
  @account path_regexp ^/account(/|$)
  respond @account account
  respond other
}
"""


def nginx(directory: Path) -> AbstractAsyncContextManager[str]:
    return servers.nginx(directory, NGINX)


@asynccontextmanager
async def haproxy(directory: Path) -> AsyncIterator[str]:
    port, file = free_port(), directory / "haproxy.cfg"
    file.write_text(HAPROXY.replace("{port}", str(port)))
    async with running([program("haproxy"), "-f", str(file)]):
        yield await _answering(port)


@asynccontextmanager
async def caddy(directory: Path) -> AsyncIterator[str]:
    port, file = free_port(), directory / "Caddyfile"
    file.write_text(CADDYFILE.replace("{port}", str(port)))
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
    async with running(command):
        yield await _answering(port)


async def _answering(port: int) -> str:
    """Wait for a server that does not say when it is ready; return its URL."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return f"http://127.0.0.1:{port}"
            await asyncio.sleep(0.01)
