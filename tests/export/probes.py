"""What is asked: of the proxy itself and of every engine."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.export.upstream import Lines


@dataclass(frozen=True)
class Probe:
    """One request. `kind` names what only some engines cannot do."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    host: str = ""
    """Empty: the engine's own address."""
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.target} {dict(self.fields)} {self.host}".strip()

    def lines(self, port: int) -> list[tuple[str, str]]:
        own = f"127.0.0.1:{port}"
        host = self.host.replace("SELF", str(port)) or own
        return [("Host", host), *((k, v.replace("SELF", own)) for k, v in self.fields)]

    @property
    def origin(self) -> str:
        return dict(self.fields).get("Origin", "")


HANDSHAKE = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
"""What makes a GET a WebSocket's handshake (RFC 6455, 4.1)."""


@dataclass(frozen=True)
class Got:
    """What came back, and what the upstream saw where it was asked."""

    status: int
    fields: Lines
    seen: dict[str, Any] | None


def call(
    origin: str, target: str, method: str = "GET", *fields: tuple[str, str], **more: str
) -> Probe:
    own = (("Origin", origin),) if origin else ()
    return Probe(method, target, (*own, *fields), **more)


def preflight(
    origin: str, target: str, method: str = "PUT", headers: str | None = None, **more: str
) -> Probe:
    asked = [("Origin", origin), ("Access-Control-Request-Method", method)]
    if headers is not None:
        asked.append(("Access-Control-Request-Headers", headers))
    return Probe("OPTIONS", target, tuple(asked), **more)


async def ask(port: int, probe: Probe) -> Got:
    """Send the probe on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = "".join(f"{name}: {value}\r\n" for name, value in probe.lines(port))
        end = "" if "Connection" in dict(probe.fields) else "Connection: close\r\n"
        head = f"{probe.method} {probe.target} HTTP/1.1\r\n{lines}{end}\r\n"
        writer.write(head.encode("latin-1"))
        async with asyncio.timeout(20):
            received = await (_one_answer(reader) if not end else reader.read())
    finally:
        writer.close()
    return _read(received)


async def _one_answer(reader: asyncio.StreamReader) -> bytes:
    """Return what comes on a connection that stays open; the end of the body is not needed."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def _read(received: bytes) -> Got:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    fields = [_field(line) for line in rest]
    seen = [value for name, value in fields if name.lower() == b"x-seen"]
    text = seen[0] if seen else body
    found = None
    if any(name.lower() == b"x-reached" for name, _ in fields) and b'{"method"' in text:
        found = json.loads(text[text.index(b"{") : text.rindex(b"}") + 1])
    kept = [field for field in fields if field[0].lower() != b"x-seen"]
    return Got(int(first.split(b" ")[1]) if first else 0, kept, found)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


async def ask_all(port: int, probes: Sequence[Probe], at_once: int = 16) -> list[Got]:
    gate = asyncio.Semaphore(at_once)

    async def one(probe: Probe) -> Got:
        async with gate:
            return await ask(port, probe)

    return await asyncio.gather(*map(one, probes))
