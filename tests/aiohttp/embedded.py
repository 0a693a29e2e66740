"""An application under test, and clients and upstreams that speak in bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from tests.fakes import Client, Reply, get
from tests.peers import PeerConnection

PAGE = "http://localhost:5173"
EVIL = "https://evil.example"

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What a server makes of `KEY` (RFC 6455, 1.3)."""


class _AsDeployed(TestServer):
    """A server that does not cancel the handler where a client leaves, as is aiohttp's default
    but for its own test servers."""

    async def _make_runner(self, **kwargs: Any) -> web.BaseRunner:
        return await super()._make_runner(**kwargs | {"handler_cancellation": False})


@asynccontextmanager
async def running(
    app: web.Application, tls: ssl.SSLContext | None = None
) -> AsyncIterator[BaseTestServer]:
    server = _AsDeployed(app)
    await server.start_server(ssl=tls)
    async with server:
        yield server


async def connect(port: int | None, trusting: ssl.SSLContext | None = None) -> Client:
    name = None if trusting is None else "localhost"
    opened = asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
    return Client(*await opened)


async def ask(port: int | None, data: bytes, method: str = "GET") -> Reply:
    client = await connect(port)
    try:
        await client.send(data)
        return await client.reply(method)
    finally:
        await client.close()


def upgrade(*lines: str, version: str = "13", key: str = KEY, target: str = "/") -> bytes:
    """A request for a WebSocket."""
    wanted = ("Connection: Upgrade", "Upgrade: websocket")
    opening = (f"Sec-WebSocket-Version: {version}", f"Sec-WebSocket-Key: {key}")
    return get(target, *wanted, *opening, *lines, origin=PAGE)


def switched(*lines: str) -> bytes:
    """The head of the 101 that answers it."""
    head = ("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket")
    return "\r\n".join((*head, f"Sec-WebSocket-Accept: {ACCEPT}", *lines, "", "")).encode()


def server_frame(opcode: int, content: bytes, *, final: bool = True) -> bytes:
    """A frame as servers send it, without a mask (RFC 6455, 5.2)."""
    size = len(content)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes([(0x80 if final else 0) | opcode]) + length + content


async def frame_of_client(peer: PeerConnection | Client) -> tuple[int, bytes]:
    """Read one masked frame: its opcode and its content."""
    first, size = await peer.exactly(2)
    assert size & 0x80
    size &= 0x7F
    if size > 125:
        size = int.from_bytes(await peer.exactly(2 if size == 126 else 8), "big")
    key = await peer.exactly(4)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    hidden = int.from_bytes(await peer.exactly(size), "big")
    return first & 0x0F, (hidden ^ mask).to_bytes(size, "big")
