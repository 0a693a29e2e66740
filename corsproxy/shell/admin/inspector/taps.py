"""Reads messages from a passing stream: WebSocket messages and server-sent events.

A tap only listens. It keeps the beginning of each message, whatever its size. Once it no
longer understands the stream, it reports nothing more.
"""

import time
import zlib
from collections.abc import Callable
from typing import Final

from corsproxy.shell.admin.inspector.exchanges import MOST_OF_MESSAGE, Direction, Message

Note = Callable[[Message], None]
Clock = Callable[[], float]

_CONTINUATION = 0x0
_KINDS = {0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xA: "pong"}
_FINAL = 0x80
_COMPRESSED = 0x40  # RFC 7692: the first frame of a compressed message
_MASKED = 0x80
_LONGEST_HEADER = 14
# The limit for inflating one message; beyond it, the compression context is lost.
_MOST_INFLATED = 4 * 1024 * 1024
_TAIL = b"\x00\x00\xff\xff"


class WebSocketTap:
    """One direction of a WebSocket (RFC 6455, 5.2), with permessage-deflate (RFC 7692)."""

    def __init__(
        self, direction: Direction, note: Note, *, extensions: str = "", clock: Clock = time.time
    ) -> None:
        """`extensions` is the response's Sec-WebSocket-Extensions."""
        self._direction: Final = direction
        self._note = note
        self._clock = clock
        self._inflating = _Inflating.agreed(extensions, direction)
        self._pending = b""  # an incomplete frame header
        self._left = 0
        self._key = b""
        self._at = 0  # offset in the frame's payload
        self._opcode = 0
        self._final = False
        self._is_in_frame = False
        self._message: _Assembly | None = None
        self._control: _Assembly | None = None
        self.lost = False

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(self._pending + bytes(data) if self._pending else bytes(data))
        self._pending = b""
        while not self.lost and (rest or self._is_empty_frame_open):
            if self._current is None:
                taken = self._begin(rest)
                if not taken:
                    self._pending = bytes(rest)
                    return
                rest = rest[taken:]
            else:
                rest = rest[self._take(rest) :]

    @property
    def _current(self) -> "_Assembly | None":
        """The message that the current frame belongs to; None between two frames."""
        if not self._is_in_frame:
            return None
        return self._control if self._opcode >= 0x8 else self._message

    @property
    def _is_empty_frame_open(self) -> bool:
        return self._is_in_frame and self._left == 0

    def _begin(self, data: memoryview) -> int:
        """Read a frame's header; returns its length, 0 if it is incomplete."""
        if len(data) < 2:
            return 0
        length = data[1] & 0x7F
        size = 2 + {126: 2, 127: 8}.get(length, 0)
        is_masked = bool(data[1] & _MASKED)
        whole = size + 4 * is_masked
        if len(data) < whole:
            return 0
        if size > 2:
            length = int.from_bytes(data[2:size], "big")
        self._key = bytes(data[size:whole]) if is_masked else b""
        self._left, self._at = length, 0
        self._opcode, self._final = data[0] & 0x0F, bool(data[0] & _FINAL)
        self._is_in_frame = True
        self._open(compressed=bool(data[0] & _COMPRESSED))
        return whole

    def _open(self, *, compressed: bool) -> None:
        if self._opcode == _CONTINUATION:
            self.lost = self._message is None
            return
        kind = _KINDS.get(self._opcode)
        if kind is None or (self._opcode < 0x8 and self._message is not None):
            self.lost = True
            return
        inflating = self._inflating if compressed else None
        if compressed and inflating is None:
            self.lost = True
            return
        assembly = _Assembly(kind, inflating)
        if self._opcode >= 0x8:
            self._control = assembly
        else:
            self._message = assembly

    def _take(self, data: memoryview) -> int:
        """Take payload of the current frame; return how many bytes were taken."""
        size = min(self._left, len(data))
        assembly = self._current
        if assembly is not None and size:
            assembly.add(data[:size] if not self._key else self._unmasked(data[:size], assembly))
        self._left -= size
        self._at += size
        if not self._left:
            self._end(assembly)
        return size

    def _unmasked(self, data: memoryview, assembly: "_Assembly") -> bytes:
        wanted = data if assembly.wants_all else data[: assembly.room]
        turn = self._at % 4
        key = (self._key[turn:] + self._key[:turn]) * (len(wanted) // 4 + 1)
        masked = int.from_bytes(wanted, "big") ^ int.from_bytes(key[: len(wanted)], "big")
        found = masked.to_bytes(len(wanted), "big")
        assembly.skip(len(data) - len(wanted))
        return found

    def _end(self, assembly: "_Assembly | None") -> None:
        self._is_in_frame = False
        if assembly is None or not self._final:
            return
        if not assembly.finish():
            self._inflating = None
        if self._opcode >= 0x8:
            self._control = None
        else:
            self._message = None
        self._note(
            Message(self._clock(), self._direction, assembly.kind, assembly.content, assembly.size)
        )


class _Inflating:
    """The inflater of one direction."""

    def __init__(self, *, keeps_context: bool) -> None:
        self._keeps_context = keeps_context
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    @classmethod
    def agreed(cls, extensions: str, direction: Direction) -> "_Inflating | None":
        """Return the inflater that both sides agreed on; None if there is none."""
        for extension in extensions.lower().split(","):
            name, *parameters = (part.strip() for part in extension.split(";"))
            if name == "permessage-deflate":
                side = "client" if direction is Direction.TO_UPSTREAM else "server"
                return cls(keeps_context=f"{side}_no_context_takeover" not in parameters)
        return None

    def inflate(self, data: bytes, most: int) -> bytes:
        """Return at most `most` bytes. Raises zlib.error."""
        found = self._inflater.decompress(data, most)
        if self._inflater.unconsumed_tail:
            raise zlib.error("too large")
        return found

    def end(self) -> None:
        if not self._keeps_context:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)


class _Assembly:
    """A message being assembled."""

    def __init__(self, kind: str, inflating: _Inflating | None) -> None:
        self.kind = kind
        self.content = b""
        self.size = 0
        self._inflating = inflating
        self._is_broken = False

    @property
    def wants_all(self) -> bool:
        return self._inflating is not None

    @property
    def room(self) -> int:
        return MOST_OF_MESSAGE - len(self.content)

    def skip(self, size: int) -> None:
        self.size += size

    def add(self, data: bytes | memoryview) -> None:
        if self._inflating is None:
            self._keep(bytes(data))
        elif not self._is_broken:
            self._inflate(bytes(data))

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        self.content += data[: self.room]

    def _inflate(self, data: bytes) -> None:
        assert self._inflating is not None  # noqa: S101 - asked by `add`
        try:
            self._keep(self._inflating.inflate(data, _MOST_INFLATED - self.size + 1))
        except zlib.error:
            self._is_broken = True
        self._is_broken = self._is_broken or self.size > _MOST_INFLATED

    def finish(self) -> bool:
        """Return whether the inflater can continue with the next message."""
        if self._inflating is None:
            return True
        if not self._is_broken:
            self._inflate(_TAIL)
            self._inflating.end()
        return not self._is_broken


class EventTap:
    """A stream of server-sent events (HTML, 9.2.6)."""

    def __init__(self, note: Note, *, clock: Clock = time.time) -> None:
        self._note = note
        self._clock = clock
        self._line = b""
        self._ended_in_return = False
        self._is_first = True
        self._reset()
        self._id = ""

    def _reset(self) -> None:
        self._data = b""
        self._size = 0
        self._has_data = False
        self._kind = ""

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        text = bytes(data)
        if self._ended_in_return and text.startswith(b"\n"):
            text = text[1:]
        self._ended_in_return = text.endswith(b"\r")
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines[:-1]:
            self._extend(line)
            self._take(self._line)
            self._line = b""
        self._extend(lines[-1])

    def _extend(self, part: bytes) -> None:
        # Holds the field name and a truncated value; only the size of the rest is kept.
        room = MOST_OF_MESSAGE + 16 - len(self._line)
        if len(part) > room:
            self._size += len(part) - max(room, 0)
            part = part[: max(room, 0)]
        self._line += part

    def _take(self, line: bytes) -> None:
        if self._is_first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._is_first = False
        if not line:
            self._dispatch()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._add(value)
            case b"event":
                self._kind = value[:64].decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value[:64].decode("utf-8", "replace")
            case _:
                pass

    def _add(self, value: bytes) -> None:
        if self._has_data:
            value = b"\n" + value
        self._has_data = True
        self._size += len(value)
        self._data += value[: MOST_OF_MESSAGE - len(self._data)]

    def _dispatch(self) -> None:
        if self._has_data:
            kind = self._kind or "message"
            self._note(
                Message(self._clock(), Direction.TO_CLIENT, kind, self._data, self._size, self._id)
            )
        self._reset()
