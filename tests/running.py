"""The running command with a scripted upstream and a file to edit."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trustme import CA

from tests.certificates import write_pair
from tests.fakes import Client, Reply, get
from tests.http2_client import H2Client, connected_to
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer
from tests.policies import PAGE
from tests.process import FREE_PORTS, Command, started

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def file_for(upstream: RawPeer, *origins: str, more: str = "") -> str:
    """A file that allows `origins`, PAGE by default."""
    listed = "".join(f"    - {origin}\n" for origin in origins or (PAGE,))
    return f"upstream: http://127.0.0.1:{upstream.port}\ncors:\n  allow_origins:\n{listed}{more}"


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def ask(port: int, data: bytes, host: str = "127.0.0.1", method: str = "GET") -> Reply:
    """Send `data` on a new connection and read one response, which is one to `method`."""
    client = Client(*await asyncio.open_connection(host, port))
    try:
        await client.send(data)
        return await client.reply(method)
    finally:
        await client.close()


class Running:
    """A ready proxy and where it is."""

    def __init__(self, command: Command, ready: dict[str, Any]) -> None:
        self.command = command
        self.port = port_of(ready["listen"][0])
        self.admin_port = port_of(ready["admin"])
        self.trusting: ssl.SSLContext | None = None
        """What clients need where the listener is https."""
        self._opened: list[Client] = []

    async def connect(self) -> Client:
        """Open a connection that is closed at the end of the test."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._opened.append(client)
        return client

    async def close(self) -> None:
        while self._opened:
            await self._opened.pop().close()

    async def ask(self, data: bytes) -> Reply:
        return await ask(self.port, data)

    async def admin(self, path: str) -> Reply:
        return await ask(self.admin_port, get(path, origin=None))

    async def metrics(self) -> dict[str, float]:
        """What a scrape says: values by names with their labels."""
        text = (await self.admin("/metrics")).content.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    async def metric(self, name: str) -> float:
        return (await self.metrics())[name]

    async def listener_closed(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            with suppress(ConnectionRefusedError):
                while True:
                    # Whom nobody has accepted when the listener closes gets a reset.
                    with suppress(ConnectionResetError):
                        await self.connect()


@asynccontextmanager
async def running(
    upstream: RawPeer,
    directory: Path,
    more: str = "",
    *arguments: str,
    program: tuple[str, str] = ("-m", "corsproxy"),
) -> AsyncIterator[Running]:
    """The command with a file in `directory`, ready."""
    (directory / "corsproxy.yaml").write_text(file_for(upstream, more=more))
    async with started(*FREE_PORTS, *arguments, cwd=directory, program=program) as command:
        proxy = Running(command, await command.event("ready"))
        try:
            yield proxy
        finally:
            await proxy.close()


@asynccontextmanager
async def running_https(
    upstream: RawPeer, directory: Path, more: str = "", *arguments: str
) -> AsyncIterator[Running]:
    """The same with a listener of https; `trusting` offers h2 alone."""
    pair = write_pair(directory, CA())
    listen = "listen: https://127.0.0.1:0\nadmin: 127.0.0.1:0\n"
    tls = f"tls: {{cert_file: {pair.cert_file.name}, key_file: {pair.key_file.name}}}\n"
    (directory / "corsproxy.yaml").write_text(file_for(upstream, more=listen + tls + more))
    async with started(*arguments, cwd=directory) as command:
        proxy = Running(command, await command.event("ready"))
        proxy.trusting = ssl.create_default_context(cafile=pair.ca_file)
        proxy.trusting.set_alpn_protocols(["h2"])
        yield proxy


def http2_of(proxy: Running) -> AbstractAsyncContextManager[H2Client]:
    """A client of its own."""
    return connected_to("127.0.0.1", proxy.port, proxy.trusting)


def workers_of(proxy: Running) -> list[int]:
    """The worker processes, the first one first."""
    pid = proxy.command.process.pid
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class Slow:
    """An upstream whose answers wait for the test."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def script(self, peer: PeerConnection) -> None:
        while True:
            await peer.head()
            self.asked.set()
            await self.may_answer.wait()
            await peer.send(OK)

    async def wait_asked(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.asked.wait()
