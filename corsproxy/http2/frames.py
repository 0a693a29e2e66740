"""Frames (RFC 9113, 4 and 6): reading and writing them."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_SIZE: Final = 9
MOST_IN_FRAME: Final = 16 * 1024
"""SETTINGS_MAX_FRAME_SIZE, left at its default."""

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20


class FrameType(IntEnum):
    """RFC 9113, 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ErrorCode(IntEnum):
    """RFC 9113, 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


DATA: Final = int(FrameType.DATA)
HEADERS: Final = int(FrameType.HEADERS)
CONTINUATION: Final = int(FrameType.CONTINUATION)


class ConnectionFaultError(Exception):
    """The peer has broken the protocol, or exceeded a limit: the connection ends."""

    def __init__(self, code: ErrorCode, why: str) -> None:
        super().__init__(why)
        self.code = code


def check(holds: bool, code: ErrorCode, why: str) -> None:
    """Raise ConnectionFaultError unless `holds`."""
    if not holds:
        raise ConnectionFaultError(code, why)


class _Form(NamedTuple):
    """The fixed size and place of a kind of frame (RFC 9113, 6)."""

    size: int
    has_stream: bool | None
    """None if both are allowed."""


_FORMS: Final[dict[int, _Form]] = {
    FrameType.PRIORITY: _Form(5, True),
    FrameType.RST_STREAM: _Form(4, True),
    FrameType.PING: _Form(8, False),
    FrameType.GOAWAY: _Form(8, False),
    FrameType.WINDOW_UPDATE: _Form(4, None),
}


class Frame(NamedTuple):
    """A frame that has arrived whole."""

    kind: int
    flags: int
    stream: int
    size: int
    """The size of the payload."""
    data: bytes
    """The whole frame, including its header."""

    @property
    def payload(self) -> bytes:
        return self.data[HEADER_SIZE:]


def check_form(frame: Frame) -> None:
    """Raise ConnectionFaultError for a frame with the wrong size for its kind, or one that
    belongs on a stream but is on the connection, or vice versa. Unknown kinds are not checked."""
    form = _FORMS.get(frame.kind)
    if form is None:
        return
    on_stream = form.has_stream is None or form.has_stream == (frame.stream != 0)
    check(on_stream, ErrorCode.PROTOCOL_ERROR, "a frame on the wrong stream")
    # GOAWAY may carry debug data of any size.
    fits = frame.size == form.size or (frame.kind == FrameType.GOAWAY and frame.size > form.size)
    check(fits, ErrorCode.FRAME_SIZE_ERROR, "a frame of another size")


def frame(kind: FrameType, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame to send."""
    return b"".join((len(payload).to_bytes(3), bytes((kind, flags)), stream.to_bytes(4), payload))


def goaway(last: int, code: ErrorCode) -> bytes:
    """Return a GOAWAY; `last` is the last stream that will be answered."""
    return frame(FrameType.GOAWAY, 0, 0, last.to_bytes(4) + int(code).to_bytes(4))


LAST_CALL: Final = b"lastcall"
WARNING: Final = goaway(2**31 - 1, ErrorCode.NO_ERROR) + frame(FrameType.PING, 0, 0, LAST_CALL)
"""Asks for no more requests; those already on their way will be answered (RFC 9113, 6.8). The
answer to the PING comes after the last of them."""


class FrameReader:
    """Reads the frames of one connection, after the client's preface."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = len(PREFACE)
        self._has_preface = False

    @property
    def is_unfinished(self) -> bool:
        """Whether a preface or a frame other than DATA has begun and not ended."""
        pending = self._pending
        return not self._has_preface or (
            bool(pending) and (len(pending) < HEADER_SIZE or pending[3] != DATA)
        )

    @property
    def held(self) -> int:
        """How many bytes of it are held."""
        return len(self._pending) if self.is_unfinished else 0

    def read(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Yield the frames that `data` completes. Raises ConnectionFaultError."""
        self._pending += data
        if len(self._pending) < self._needed:
            return
        data, at = bytes(self._pending), 0
        self._pending.clear()
        if not self._has_preface:
            check(data.startswith(PREFACE), ErrorCode.PROTOCOL_ERROR, "no preface of HTTP/2")
            self._has_preface = True
            at = len(PREFACE)
        self._needed = HEADER_SIZE
        while len(data) - at >= HEADER_SIZE:
            size = int.from_bytes(data[at : at + 3])
            check(size <= MOST_IN_FRAME, ErrorCode.FRAME_SIZE_ERROR, "a frame too large")
            end = at + HEADER_SIZE + size
            if end > len(data):
                self._needed = HEADER_SIZE + size
                break
            stream = int.from_bytes(data[at + 5 : at + 9]) & 0x7FFFFFFF
            yield Frame(data[at + 3], data[at + 4], stream, size, data[at:end])
            at = end
        self._pending += data[at:]
