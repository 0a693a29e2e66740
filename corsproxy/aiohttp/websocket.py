"""A client's WebSocket, read and written by aiohttp, as the bytes that its upstream speaks.

The upstream's end is frames (RFC 6455, 5.2), the client's end is messages: this end turns one into
the other. Pings, pongs and closes go through to the other side, and no extension is in use.
"""

import asyncio
import os
import struct
from typing import Final

from aiohttp import WSMsgType, web

_LARGEST_MESSAGE: Final = 4 * 1024 * 1024

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES: Final = {
    WSMsgType.TEXT: _TEXT,
    WSMsgType.BINARY: _BINARY,
    WSMsgType.PING: _PING,
    WSMsgType.PONG: _PONG,
}
_NO_STATUS: Final = 1005
_PROTOCOL_ERROR: Final = 1002
_TOO_BIG: Final = 1009


def frame(opcode: int, content: bytes) -> bytes:
    """Return one whole frame, masked as a client's is (5.3)."""
    key = os.urandom(4)
    size = len(content)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = struct.pack(">BH", 0x80 | 126, size)
    else:
        length = struct.pack(">BQ", 0x80 | 127, size)
    # As one number: a loop over the bytes would be slow.
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    hidden = (int.from_bytes(content, "big") ^ mask).to_bytes(size, "big")
    return bytes([0x80 | opcode]) + length + key + hidden


class FrameReader:
    """Messages out of the frames that an upstream sends."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._opcode = _CONTINUATION
        self._message = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the messages that are whole now: opcodes and contents.

        Raises ValueError, with the status to close with, for what is no frame of a server or
        grows too large.
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
        """Return how long the next frame's header and content are; None before that is known."""
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
            if not is_final:
                raise ValueError(_PROTOCOL_ERROR)
            messages.append((opcode, content))
            return
        if (opcode == _CONTINUATION) != (self._opcode != _CONTINUATION):
            raise ValueError(_PROTOCOL_ERROR)
        self._message += content
        self._opcode = opcode or self._opcode
        if is_final:
            messages.append((self._opcode, bytes(self._message)))
            self._message.clear()
            self._opcode = _CONTINUATION


class WebSocketStream:
    """The `ByteStream` of a client whose WebSocket aiohttp speaks."""

    def __init__(self, request: web.Request, protocol: str | None) -> None:
        self.response: Final = web.WebSocketResponse(
            protocols=() if protocol is None else (protocol,),
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=_LARGEST_MESSAGE,
        )
        self.received = 0
        self.sent = 0
        self._request: Final = request
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._frames: Final = FrameReader()
        self._has_ended = False

    async def _opened(self) -> None:
        if self._opening is None:
            self._opening = asyncio.create_task(self._prepare())
        await asyncio.shield(self._opening)

    async def _prepare(self) -> None:
        await self.response.prepare(self._request)

    async def _close(self) -> None:
        await self.response.close()

    async def read(self) -> bytes:
        """Return the client's next message as a frame, or b"" behind its Close."""
        await self._opened()
        if self._has_ended:
            return b""
        message = await self.response.receive()
        opcode = _OPCODES.get(message.type)
        if opcode is not None:
            data = message.data.encode() if opcode == _TEXT else bytes(message.data)
            self.received += len(data)
            return frame(opcode, data)
        self._has_ended = True
        if message.type is WSMsgType.ERROR or self.response.close_code == 1006:
            raise ConnectionResetError
        code = self.response.close_code
        if message.type is WSMsgType.CLOSE:
            reason = (message.extra or "").encode()
            code = message.data
            return frame(_CLOSE, b"" if code in (None, 0, _NO_STATUS) else _status(code) + reason)
        return frame(_CLOSE, b"" if code in (None, _NO_STATUS) else _status(code))

    async def write(self, data: bytes) -> None:
        """Send the messages that `data` completes."""
        await self._opened()
        try:
            messages = self._frames.feed(data)
        except ValueError as error:
            await self.response.close(code=error.args[0])
            raise ConnectionResetError from error
        for opcode, content in messages:
            self.sent += len(content)
            await self._send(opcode, content)

    async def _send(self, opcode: int, content: bytes) -> None:
        response = self.response
        if opcode == _TEXT:
            await response.send_str(content.decode("utf-8", "replace"))
        elif opcode == _BINARY:
            await response.send_bytes(content)
        elif opcode == _PING:
            await response.ping(content)
        elif opcode == _PONG:
            await response.pong(content)
        else:
            code = int.from_bytes(content[:2], "big") if len(content) > 1 else 1000
            await response.close(code=code, message=content[2:])

    def push(self, data: bytes) -> None:
        """Send a Close frame of ours, without waiting."""
        self._closing = asyncio.create_task(self.write(data))

    def write_eof(self) -> None:
        """A WebSocket has no half-close: its end is a Close."""
        if not self.response.closed:
            self._closing = asyncio.create_task(self._close())

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _status(code: int) -> bytes:
    return struct.pack(">H", code)
