"""WebSocket load: connections that each keep one message in flight, as fast as it returns.

`python -m benchmarks.websocket_load PORT PATH ORIGIN CONNECTIONS SECONDS` prints one JSON object.
A message counts when its echo has arrived completely; a connection that closes or answers with
other bytes is an error. Nothing is pipelined, so a proxy pays for each message.
"""

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop

from benchmarks.frames import client_frame, server_frame

PAYLOAD = b'{"type":"price","symbol":"CORS","bid":101.25,"ask":101.50,"sequence":1234567}'
HANDSHAKE_SECONDS = 10.0


class Echoed(asyncio.Protocol):
    """One connection: shakes hands, then sends the next message when the last one returns."""

    _transport: asyncio.Transport

    def __init__(self, handshake: bytes, ready: asyncio.Future[None]) -> None:
        self.messages = 0
        self.failed = False
        self._handshake = handshake
        self._ready = ready
        self._message = client_frame(PAYLOAD)
        self._echo = server_frame(PAYLOAD)
        self._received = b""
        self._stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        if data == self._echo:  # nearly always: one read, one message
            self.messages += 1
            if not self._stopped:
                self._transport.write(self._message)
            return
        self._received += data
        if not self._ready.done():
            self._take_handshake()
        elif self._received == self._echo:
            self._received = b""
            self.data_received(self._echo)
        elif not self._echo.startswith(self._received):
            self.stop(failed=True)

    def _take_handshake(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 101") or rest:
            status = head.split(b"\r\n")[0].decode(errors="replace")
            self._ready.set_exception(ConnectionError(f"handshake answered with {status!r}"))
            return
        self._received = b""
        self._ready.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("closed during the handshake"))
        if not self._stopped:
            self.failed = True

    def start(self) -> None:
        """Send the first message."""
        self.messages = 0
        self._transport.write(self._message)

    def stop(self, *, failed: bool = False) -> None:
        """Send nothing more, and close."""
        self._stopped = True
        self.failed |= failed
        self._transport.abort()


async def load(
    port: int, path: str, origin: str, connections: int, seconds: float
) -> dict[str, float]:
    """Run the load; return messages, errors and the actual seconds.

    Raises OSError or TimeoutError if a connection or its handshake fails.
    """
    loop = asyncio.get_running_loop()
    handshake = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    clients = []
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        for _ in range(connections):
            ready: asyncio.Future[None] = loop.create_future()
            _transport, client = await loop.create_connection(
                partial(Echoed, handshake, ready), "127.0.0.1", port
            )
            await ready
            clients.append(client)
    started = time.monotonic()
    for client in clients:
        client.start()
    await asyncio.sleep(seconds)
    elapsed = time.monotonic() - started
    messages = sum(client.messages for client in clients)
    for client in clients:
        client.stop()
    return {
        "messages": messages,
        "errors": sum(client.failed for client in clients),
        "seconds": elapsed,
    }


def main() -> int:
    """Run from the command line; a failed handshake is reported on stderr."""
    port, path, origin, connections, seconds = sys.argv[1:]
    try:
        result = uvloop.run(load(int(port), path, origin, int(connections), float(seconds)))
    except (OSError, TimeoutError) as error:
        print(str(error) or "the handshake took too long", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
