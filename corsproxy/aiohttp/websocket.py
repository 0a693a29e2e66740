"""A client's WebSocket, which aiohttp reads and writes, as the byte stream of its upstream.

The upstream's side is frames (RFC 6455, 5.2), the client's side is messages; this translates.
Pings, pongs and closes are passed to the other side, and no extension is used.
"""

import asyncio
import os
import struct
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web

from corsproxy.aiohttp.responses import websocket_response
from corsproxy.core.messages import ClientHead

_LARGEST_MESSAGE: Final = 4 * 1024 * 1024
_LINGER_S: Final = 5.0

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES: Final = {
    WSMsgType.TEXT: _TEXT,
    WSMsgType.BINARY: _BINARY,
    WSMsgType.PING: _PING,
    WSMsgType.PONG: _PONG,
}
_TYPES: Final = {opcode: kind for kind, opcode in _OPCODES.items()} | {_CLOSE: WSMsgType.CLOSE}
_PROTOCOL_ERROR: Final = 1002
_TOO_BIG: Final = 1009


def frame(opcode: int, content: bytes) -> bytes:
    """Return a whole frame, masked as clients must (5.3)."""
    key = os.urandom(4)
    size = len(content)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = struct.pack(">BH", 0x80 | 126, size)
    else:
        length = struct.pack(">BQ", 0x80 | 127, size)
    # As one number, because a loop over the bytes would be slow.
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    hidden = (int.from_bytes(content, "big") ^ mask).to_bytes(size, "big")
    return bytes([0x80 | opcode]) + length + key + hidden


class FrameReader:
    """Assembles messages from the frames of an upstream."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._opcode = _CONTINUATION
        self._message = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the messages that are now complete: opcodes and contents.

        Raises ValueError, with the status to close with, for an invalid server frame or a
        message that is too large.
        """
        self._data += data
        messages: list[tuple[int, bytes]] = []
        while (size := self._frame_size()) is not None:
            header, length = size
            if len(self._data) < header + length:
                break
            first = self._data[0]
            content = bytes(self._data[header : header + length])
            del self._data[: header + length]
            self._take(first & 0x0F, content, is_final=bool(first & 0x80), messages=messages)
        return messages

    def _frame_size(self) -> tuple[int, int] | None:
        """Return the sizes of the next frame's header and content; None until they are known."""
        data = self._data
        if len(data) < 2:
            return None
        if data[0] & 0x70 or data[1] & 0x80:
            raise ValueError(_PROTOCOL_ERROR)
        header, length = 2, data[1]
        if length >= 126:
            header = 4 if length == 126 else 10
            if len(data) < header:
                return None
            length = int.from_bytes(data[2:header], "big")
        if length + len(self._message) > _LARGEST_MESSAGE:
            raise ValueError(_TOO_BIG)
        return header, length

    def _take(
        self, opcode: int, content: bytes, *, is_final: bool, messages: list[tuple[int, bytes]]
    ) -> None:
        if opcode >= _CLOSE:
            if not is_final or opcode not in _TYPES:
                raise ValueError(_PROTOCOL_ERROR)
            messages.append((opcode, content))
            return
        begins = opcode in (_TEXT, _BINARY)
        if begins == (self._opcode != _CONTINUATION) or not (begins or opcode == _CONTINUATION):
            raise ValueError(_PROTOCOL_ERROR)
        self._message += content
        self._opcode = opcode or self._opcode
        if is_final:
            messages.append((self._opcode, bytes(self._message)))
            self._message.clear()
            self._opcode = _CONTINUATION


class WebSocketStream:
    """The `ByteStream` of a client whose WebSocket aiohttp handles."""

    def __init__(self, request: web.Request, head: ClientHead) -> None:
        """`head` is that of the 101."""
        self.response: Final = websocket_response(head, _LARGEST_MESSAGE)
        self.received = 0
        self.sent = 0
        self._request: Final = request
        self._opening: asyncio.Task[object] | None = None
        self._pushing: asyncio.Task[None] | None = None
        self._pushed: bytes | None = None
        self._frames: Final = FrameReader()
        self._client_has_closed = False
        self._client_is_told = False
        """Whether the client has been sent a Close."""
        self._is_ending = False
        self._over: Final = asyncio.Event()

    async def _opened(self) -> None:
        if self._opening is None:
            self._opening = asyncio.create_task(self._prepare())
        await asyncio.shield(self._opening)

    async def _prepare(self) -> None:
        await self.response.prepare(self._request)

    async def _close(self, code: int) -> None:
        await self.response.close(code=code)

    async def read(self) -> bytes:
        """Return the client's next message as a frame, or b"" at the end, after its Close.

        Raises ConnectionResetError if the client has left without a Close.
        """
        await self._opened()
        if self._client_has_closed:
            # The client waits for the upstream's Close and for the end (RFC 6455, 7.1.1).
            await self._over.wait()
            return b""
        message = await self.response.receive()
        opcode = _OPCODES.get(message.type)
        if opcode is not None:
            data = message.data.encode() if opcode == _TEXT else bytes(message.data)
            self.received += len(data)
            return frame(opcode, data)
        if message.type is WSMsgType.CLOSE:
            reason = (message.extra or "").encode()
            content = struct.pack(">H", message.data) + reason if message.data else b""
        elif self._pushed is not None:
            content = self._pushed
        else:
            raise ConnectionResetError
        self._client_has_closed = True
        if self._is_ending:
            self._hang_up()
        return frame(_CLOSE, content)

    async def write(self, data: bytes) -> None:
        """Send the messages that `data` completes."""
        await self._opened()
        try:
            messages = self._frames.feed(data)
        except ValueError as error:
            # In an asyncio task, which `timeout` needs: a tunnel does not run in one.
            await asyncio.create_task(self._close(error.args[0]))
            raise ConnectionResetError from error
        for opcode, content in messages:
            self.sent += len(content)
            self._client_is_told = self._client_is_told or opcode == _CLOSE
            # Unlike `close`, this can send a Close without a status.
            await self.response.send_frame(content, _TYPES[opcode])

    def push(self, data: bytes) -> None:
        """Send our own Close frame, without waiting."""
        [(_, self._pushed)] = FrameReader().feed(data)
        self._pushing = asyncio.create_task(self._push(self._pushed))

    async def _push(self, content: bytes) -> None:
        # During shutdown aiohttp reads nothing more, so the client's answer is not seen. This ends
        # `read`, too, which assumes it. If the client is gone, `read` reports that.
        with suppress(ConnectionError):
            await self._opened()
            await self._close(int.from_bytes(content[:2], "big"))

    def write_eof(self) -> None:
        """The upstream has ended. Without a Close from it, the client gets none, and knows that
        something went wrong. After one, the client has some time to answer."""
        self._is_ending = True
        if self._client_is_told and not self._client_has_closed:
            asyncio.get_running_loop().call_later(_LINGER_S, self._hang_up)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self._over.set()
        if self._request.transport is not None:
            self._request.transport.close()

    def abort(self) -> None:
        self._over.set()
        if self._request.transport is not None:
            self._request.transport.abort()
