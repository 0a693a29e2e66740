"""Engines at work with what was exported for them."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

DEADLINE_S = 20.0


class Engine(NamedTuple):
    """How an engine is started."""

    exported_as: str
    """The name for `corsproxy export`."""
    place: Callable[[Path, str], list[str]]
    """Writes the configuration into a directory; returns the arguments that start it."""
    equal: float
    """The share of the example's probes that come out equal in everything."""
    reported: frozenset[str] = frozenset()
    """Kinds of probes that may come out otherwise: the report says so of every export."""


def program(name: str) -> str:
    """Return the path of an engine: of the tests' own environment first, then of the system."""
    own = Path(os.environ.get("ENGINES_ENVIRONMENT") or Path(sys.prefix) / "engines") / "bin"
    path = f"{own}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.fail(
            f"the tests need {name}, which is not installed: run `make test` as root once",
            pytrace=False,
        )
    return found


def _nginx(directory: Path, text: str) -> list[str]:
    (directory / "nginx.conf").write_text(text)
    more = f"daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;"
    return [program("nginx"), "-p", str(directory), "-c", str(directory / "nginx.conf"), "-g", more]


def _haproxy(directory: Path, text: str) -> list[str]:
    (directory / "haproxy.cfg").write_text(text)
    return [program("haproxy"), "-db", "-f", str(directory / "haproxy.cfg")]


def _envoy(directory: Path, text: str) -> list[str]:
    (directory / "envoy.yaml").write_text(text)
    more = ["--log-level", "warning", "--concurrency", "1", "--use-dynamic-base-id"]
    return [program("envoy"), "-c", str(directory / "envoy.yaml"), *more]


def _caddy(directory: Path, text: str) -> list[str]:
    (directory / "Caddyfile").write_text(text)
    file = str(directory / "Caddyfile")
    return [program("caddy"), "run", "--config", file, "--adapter", "caddyfile"]


def _traefik(directory: Path, text: str) -> list[str]:
    static, _, dynamic = text.partition("\n---\n")
    (directory / "static.yml").write_text(static)
    (directory / "dynamic.yml").write_text(dynamic)
    return [program("traefik"), f"--configFile={directory}/static.yml"]


ENGINES = {
    "nginx": Engine("nginx", _nginx, 0.93, frozenset({"empty-method", "two-origins"})),
    "envoy": Engine("envoy", _envoy, 0.97, frozenset({"unknown-method", "handshake"})),
    "haproxy": Engine("haproxy", _haproxy, 0.94),
    "caddy": Engine("caddy", _caddy, 0.79),
    "traefik": Engine(
        "traefik",
        _traefik,
        0.43,
        frozenset(
            {
                "empty-method",
                "two-origins",
                "bytes",
                "own-port",
                "encoded",
                "bad-name",
                "refused-preflight",
            }
        ),
    ),
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def running(engine: str, directory: Path, text: str, port: int) -> AsyncIterator[None]:
    """Run an engine until the end of the block, once it accepts on `port`."""
    arguments = ENGINES[engine].place(directory, text)
    with (directory / "stderr").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=directory,
            stdout=said,
            stderr=said,
            env={**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory)},
        )
    try:
        await _accepting(process, directory, port, arguments)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _configured(port: int) -> bool:
    """Whether an engine has read everything: Traefik listens before it has a route."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"404 page not found" not in await reader.read()
    except ConnectionError:
        return False
    finally:
        writer.close()


async def _accepting(
    process: asyncio.subprocess.Process, directory: Path, port: int, arguments: Sequence[str]
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                if await _configured(port):
                    return
            if process.returncode is not None:
                said = (directory / "stderr").read_text(errors="replace")
                raise AssertionError(f"{arguments} ended with {process.returncode}: {said}")
