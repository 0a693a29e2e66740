"""Frames as a client writes them, right or wrong, and as it reads them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hpack import Encoder

from corsproxy.core.messages import Field
from corsproxy.http2.frames import PREFACE, ErrorCode, FrameType

END_STREAM, END_HEADERS, PADDED, PRIORITY, ACK = 0x1, 0x4, 0x8, 0x20, 0x1

GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"localhost"),
    (b":path", b"/"),
]
POST: list[Field] = [(b":method", b"POST"), *GET[1:]]


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> ErrorCode:
        """The error code of a RST_STREAM or GOAWAY."""
        return ErrorCode(int.from_bytes(self.payload[-4:] if self.kind == 3 else self.payload[4:8]))


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    header = len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4)
    return header + payload


def frames_of(data: bytes) -> Iterator[Frame]:
    while data:
        end = 9 + int.from_bytes(data[:3])
        yield Frame(data[3], data[4], int.from_bytes(data[5:9]), data[9:end])
        data = data[end:]


SETTINGS = frame(FrameType.SETTINGS)
BEGINNING = PREFACE + SETTINGS


def setting(identifier: int, value: int) -> bytes:
    return frame(FrameType.SETTINGS, payload=identifier.to_bytes(2) + value.to_bytes(4))


def block(fields: Sequence[Field]) -> bytes:
    """A field block that needs no table, so that it may be sent again."""
    return Encoder().encode([(name, value, True) for name, value in fields], huffman=False)


def headers(
    stream: int = 1,
    fields: Sequence[Field] = tuple(GET),
    flags: int = END_STREAM | END_HEADERS,
) -> bytes:
    return frame(FrameType.HEADERS, flags, stream, block(fields))


def data(stream: int, content: bytes = b"", flags: int = 0) -> bytes:
    return frame(FrameType.DATA, flags, stream, content)


def reset(stream: int, code: ErrorCode = ErrorCode.CANCEL) -> bytes:
    return frame(FrameType.RST_STREAM, 0, stream, int(code).to_bytes(4))


def window_update(stream: int, size: int) -> bytes:
    return frame(FrameType.WINDOW_UPDATE, 0, stream, size.to_bytes(4))


def ping(payload: bytes = b"12345678", flags: int = 0) -> bytes:
    return frame(FrameType.PING, flags, 0, payload)
