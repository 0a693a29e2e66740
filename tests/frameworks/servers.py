"""Applications on real frameworks, each started as its users start it, on a free port."""

import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.browser.programs import program, running

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
async def django(
    tls: Certificate | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    port = free_port()
    arguments = [of_environment("gunicorn"), f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    if tls is not None:
        arguments += [f"--certfile={tls.cert_file}", f"--keyfile={tls.key_file}"]
    arguments.append("django_app:application")
    async with _served(arguments, port, "Booting worker", tls is not None, environ or {}) as url:
        yield url


@asynccontextmanager
async def fastapi(
    tls: Certificate | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    port = free_port()
    arguments = [of_environment("uvicorn"), "--port", str(port), "fastapi_app:app"]
    if tls is not None:
        arguments += ["--ssl-certfile", str(tls.cert_file), "--ssl-keyfile", str(tls.key_file)]
    async with _served(arguments, port, "Uvicorn running", tls is not None, environ or {}) as url:
        yield url


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
async def express() -> AsyncIterator[str]:
    arguments = [program("node"), "express_app.cjs"]
    async with running(arguments, cwd=node_directory()) as server:
        line = await server.until(lambda line: line.startswith("Listening on "))
        yield f"http://127.0.0.1:{line.split()[-1]}"


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
