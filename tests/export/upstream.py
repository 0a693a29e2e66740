"""The upstream behind every engine: what it answers is a function of what it was asked.

So the proxy itself needs no socket to be compared with: `answer` says what it would have got.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Lines = list[tuple[bytes, bytes]]

REACHED = b"X-Reached"
"""What tells an upstream's answer from an engine's own."""


def answer(method: str, target: str, port: int) -> tuple[int, Lines]:
    """Return the status and the fields of an answer, without the body's."""
    own = b"http://127.0.0.1:%d" % port
    base = b"/v2" if target.startswith("/v2") else b""
    fields: Lines = [
        (REACHED, b"1"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Methods", b"GET, DELETE"),
        (b"Access-Control-Allow-Headers", b"x-upstream"),
        (b"Access-Control-Expose-Headers", b"X-Upstream"),
        (b"Access-Control-Max-Age", b"5"),
        (b"Strict-Transport-Security", b"max-age=1"),
        (b"Clear-Site-Data", b'"cookies"'),
        (b"Service-Worker-Allowed", b"/"),
        (b"Server", b"api"),
        (b"Cache-Control", b"max-age=60"),
        (b"X-Request-Id", b"7"),
        (b"X-Upstream", b"yes"),
    ]
    status = 200
    for kind in target.split("?")[0].split("/"):
        if kind.isdigit():
            status = int(kind)
    if "vary-both" in target:
        fields.append((b"Vary", b"Accept, Origin"))
    else:
        fields.append((b"Vary", b"Accept-Encoding"))
    if "moved" in target:
        fields.append((b"Location", base + b"/there#x"))
    elif "elsewhere" in target:
        fields.append((b"Location", b"https://other.example.net/x"))
    elif status == 302:
        fields.append((b"Location", own + base + b"/next?a=1"))
    if "cookies" in target:
        fields.append((b"Set-Cookie", b"a=1; Domain=api.example.com; Path=/; Secure; HttpOnly"))
        fields.append((b"Set-Cookie", b"b=2; Path=" + base + b"/cart; Secure; SameSite=None"))
        fields.append((b"Set-Cookie", b"__Host-c=3; Path=/; Secure"))
    return status, fields


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Serve on a port; the body of each answer is what was asked, as JSON."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(await _respond(head, reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]

    async def _respond(head: bytes, reader: asyncio.StreamReader) -> bytes:
        first, *rest = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        lines = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "")
                 for line in rest]  # fmt: skip
        for name, value in lines:
            if name.lower() == "content-length":
                await reader.readexactly(int(value))
        status, fields = answer(method, target, port)
        seen = json.dumps({"method": method, "target": target, "fields": lines}).encode()
        has_content = status not in (204, 304)
        fields.append((b"Content-Type", b"application/json"))
        if has_content:
            fields.append((b"Content-Length", b"%d" % len(seen)))
        else:
            fields.append((b"X-Seen", seen))
        section = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"HTTP/1.1 %d X\r\n%b\r\n%b" % (
            status, section, seen if has_content and method != "HEAD" else b"",
        )  # fmt: skip

    try:
        yield port
    finally:
        server.close()
        server.close_clients() if hasattr(server, "close_clients") else None
