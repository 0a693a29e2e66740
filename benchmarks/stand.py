"""The test stand: the upstreams, and peers set up in front of them on their cores."""

import hashlib
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self

from benchmarks.cache import (
    CACHE,
    CERTIFICATE,
    PROJECT,
    make_certificate,
    render,
    system_program,
)
from benchmarks.machine import Cores
from benchmarks.measure import Watch
from benchmarks.peer import ORIGIN, Peer, Site
from benchmarks.processes import Process, ProcessError, free_port, wait_for_port

UPSTREAM_SECONDS = 20.0
UpstreamName = Literal["files", "tls", "backend"]
READY_PATHS: dict[UpstreamName, str] = {
    "files": "/1k.json",
    "tls": "/1k.json",
    "backend": "/received",
}
"""What a peer must get from each upstream to count as started."""


class File(NamedTuple):
    """A file that the upstream serves."""

    path: str
    length: int
    digest: str


@dataclass(frozen=True)
class Running:
    """A running peer: where it listens, and its process (None for no proxy at all)."""

    peer: Peer
    site: Site
    process: Process | None
    watch: Watch

    def url(self, path: str) -> str:
        """Return the URL that a client requests from this peer."""
        return f"http://127.0.0.1:{self.site.port}{self.peer.path(self.site, path)}"


class Stand:
    """Two upstreams on their core; a context manager that starts and ends them."""

    def __init__(self, cores: Cores) -> None:
        self.cores = cores
        self.files = _write_files(CACHE / "files")
        self._stack = ExitStack()
        self._ports: dict[UpstreamName, int] = {}
        self._upstreams: dict[UpstreamName, Process] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start_files(stack)
            self._start_backend(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @contextmanager
    def start(
        self,
        peer: Peer,
        upstream: UpstreamName,
        *,
        log: bool = False,
        metrics: bool = True,
        inspector: bool = False,
    ) -> Iterator[Running]:
        """Start a peer in front of an upstream, and wait until it answers.

        Raises ProcessError, and cache.MissingError.
        """
        upstream_port = self._ports[upstream]
        if peer.family == "none":
            site = Site(upstream_port, upstream_port, CACHE)
            yield Running(peer, site, None, self._watch(None, upstream))
            return
        with self.launch(peer, upstream, log=log, metrics=metrics, inspector=inspector) as running:
            # Listening is not enough: some first try a port with a temporary server.
            wait_for_response(running, READY_PATHS[upstream])
            yield running

    @contextmanager
    def launch(
        self,
        peer: Peer,
        upstream: UpstreamName,
        *,
        log: bool = False,
        metrics: bool = True,
        inspector: bool = False,
    ) -> Iterator[Running]:
        """Start a peer without waiting for it. Raises ProcessError, and cache.MissingError."""
        slug = (
            peer.name.lower()
            + ("-tls" if upstream == "tls" else "")
            + ("-log" if log else "")
            + ("" if metrics else "-uncounted")
            + ("-inspected" if inspector else "")
        )
        directory = CACHE / "run" / slug
        directory.mkdir(parents=True, exist_ok=True)
        is_tls = upstream == "tls"
        ports = free_port(), self._ports[upstream]
        site = Site(*ports, directory, log, metrics, is_tls, inspector)
        argv = peer.command(site)
        output = CACHE / "logs" / f"{slug}.log"
        with Process(
            argv, core=self.cores.peer, log=output, env=peer.env(site), cwd=PROJECT
        ) as process:
            yield Running(peer, site, process, self._watch(process, upstream))

    def received_bytes(self) -> int:
        """Return how much content the backend has received so far."""
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["backend"], timeout=10)
        try:
            connection.request("GET", "/received")
            return int(json.load(connection.getresponse())["bytes"])
        finally:
            connection.close()

    def _watch(self, process: Process | None, upstream: UpstreamName) -> Watch:
        return Watch(process, self._upstreams[upstream], self.cores)

    def _start_files(self, stack: ExitStack) -> None:
        port = free_port()
        directory = CACHE / "run" / "upstream"
        make_certificate()
        self._ports["tls"] = free_port()
        values = {
            "PORT": str(port),
            "TLS_PORT": str(self._ports["tls"]),
            "CERTIFICATE": str(CERTIFICATE),
            "DIRECTORY": str(directory),
            "FILES": str(CACHE / "files"),
        }
        config = render("upstream-nginx.conf", directory, values)
        argv = [system_program("nginx"), "-p", str(directory), "-c", str(config)]
        self._start_upstream(stack, "files", port, argv)
        self._upstreams["tls"] = self._upstreams["files"]

    def _start_backend(self, stack: ExitStack) -> None:
        port = free_port()
        self._start_upstream(
            stack, "backend", port, [sys.executable, "-m", "benchmarks.backend", str(port)]
        )

    def _start_upstream(
        self, stack: ExitStack, name: UpstreamName, port: int, argv: list[str]
    ) -> None:
        log = CACHE / "logs" / f"upstream-{name}.log"
        process = stack.enter_context(Process(argv, core=self.cores.upstream, log=log, cwd=PROJECT))
        wait_for_port(process, port, UPSTREAM_SECONDS)
        self._ports[name] = port
        self._upstreams[name] = process


def wait_for_response(running: Running, path: str) -> float:
    """Send requests until the first complete 200; return the seconds since the process started.

    Raises ProcessError if the peer ends or does not answer in time.
    """
    process = running.process
    assert process is not None
    target = running.peer.path(running.site, path)
    deadline = process.started + running.peer.start_seconds
    while time.monotonic() < deadline:
        process.check_alive()
        connection = http.client.HTTPConnection("127.0.0.1", running.site.port, timeout=5)
        try:
            connection.request("GET", target, headers={"Origin": ORIGIN})
            response = connection.getresponse()
            if response.status == 200 and response.read():
                return time.monotonic() - process.started
        except (OSError, http.client.HTTPException):
            time.sleep(0.001)
        finally:
            connection.close()
    raise ProcessError(f"no response within {running.peer.start_seconds:g} s")


def _write_files(directory: Path) -> dict[str, File]:
    """Write the upstream's files once, and return them by name."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, length in {"1k.json": 1 << 10, "100k.json": 100 << 10, "64m.bin": 64 << 20}.items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != length:
            path.write_bytes(_json_of(length) if name.endswith(".json") else os.urandom(length))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files[name] = File(f"/{name}", length, digest)
    return files


def _json_of(length: int) -> bytes:
    """Return a JSON array of records that is exactly `length` bytes long."""
    record = b'{"id":1001,"name":"Ada","role":"engineer","active":true},'
    count = (length - 40) // len(record)
    start = b'{"items":[' + record * count
    return start + b'{"id":0,"pad":"' + b"x" * (length - len(start) - 19) + b'"}]}'
