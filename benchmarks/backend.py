"""The upstream for what nginx does not serve: uploads, WebSocket echo, event streams.

`python -m benchmarks.backend PORT`. It is as thin as possible, because it must never be the
bottleneck. It answers
  GET /ws with a WebSocket handshake, and then every message with itself;
  GET /events with one event of an endless stream;
  GET /received with {"bytes": the content received by all connections so far};
  anything with a body with {"received": its length}, and everything else with 404.
"""

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

from benchmarks.frames import server_frame, split_frames

BUFFER_BYTES = 1 << 20
EVENT = b"data: ready\n\n"


class Connection(asyncio.BufferedProtocol):
    """One client: a head, then a body to discard or frames to send back."""

    received = 0
    """Bytes of content, over all connections."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._pending = b""
        self._body_left = 0
        self._body_length = 0
        self._chunked: Chunks | None = None
        self._websocket = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        if self._body_left > size:  # the fast path: bytes of an upload are only counted
            self._body_left -= size
            Connection.received += size
            return
        data = bytes(memoryview(self._buffer)[:size])
        if self._websocket:
            self._echo(data)
        elif self._chunked is not None:
            self._take_chunks(data)
        elif self._body_left:
            Connection.received += self._body_left
            self._body_left = 0
            self._answer_upload(self._body_length)
        else:
            self._take_head(data)

    def _take_head(self, data: bytes) -> None:
        self._pending += data
        head, end, rest = self._pending.partition(b"\r\n\r\n")
        if not end:
            return
        self._pending = b""
        request_line, *lines = head.split(b"\r\n")
        target = request_line.split(b" ")[1]
        fields = {
            name.lower(): value.strip() for name, _, value in (x.partition(b":") for x in lines)
        }
        if b"content-length" in fields and fields[b"content-length"] != b"0":
            self._body_length = int(fields[b"content-length"])
            self._body_left = self._body_length - len(rest)
            Connection.received += len(rest)
            if not self._body_left:
                self._answer_upload(self._body_length)
        elif b"transfer-encoding" in fields:
            self._chunked = Chunks()
            self._take_chunks(rest)
        elif b"sec-websocket-key" in fields:
            self._shake_hands(fields[b"sec-websocket-key"])
        elif target.endswith(b"/events"):
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(EVENT), EVENT)
            )
        elif target.endswith(b"/received"):
            self._answer(b'{"bytes": %d}' % Connection.received)
        else:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _shake_hands(self, key: bytes) -> None:
        accept = base64.b64encode(
            hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        )
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._websocket = True

    def _echo(self, data: bytes) -> None:
        try:
            payloads, self._pending = split_frames(self._pending + data)
        except ValueError:  # a close frame, or an unknown client
            self._transport.close()
            return
        if payloads:
            self._transport.write(b"".join(map(server_frame, payloads)))

    def _take_chunks(self, data: bytes) -> None:
        assert self._chunked is not None
        before = self._chunked.received
        ended = self._chunked.feed(data)
        received = self._chunked.received
        Connection.received += received - before
        if ended:
            self._chunked = None
            self._answer_upload(received)

    def _answer_upload(self, received: int) -> None:
        self._answer(b'{"received": %d}' % received)

    def _answer(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


class Chunks:
    """Counts the content of a chunked body (RFC 9112, 7.1) without keeping it."""

    def __init__(self) -> None:
        self.received = 0
        self._skip = 0  # bytes of a chunk, and its line end, still to come
        self._line = b""

    def feed(self, data: bytes) -> bool:
        """Take bytes; return whether the last chunk and the empty trailer are complete."""
        view = data
        while view:
            if self._skip:
                taken = min(self._skip, len(view))
                # The last two bytes to skip are the chunk's line end.
                self.received += max(0, self._skip - 2) - max(0, self._skip - taken - 2)
                self._skip -= taken
                view = view[taken:]
                continue
            self._line += view[: (at := view.find(b"\n") + 1) or len(view)]
            if not at:
                return False
            view = view[at:]
            size = int(self._line.split(b";")[0], 16) if self._line.strip() else -1
            self._line = b""
            if size == -1:  # the empty line after the last chunk
                return True
            if size:
                self._skip = size + 2
        return False


async def serve(port: int) -> None:
    """Serve 127.0.0.1:`port` until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
