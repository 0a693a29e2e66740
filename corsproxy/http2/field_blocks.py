"""Field blocks: a HEADERS frame and its CONTINUATIONs, assembled and decoded (RFC 9113, 4.3).

No other frame may come between them, and their total size is limited.
"""

from typing import Final, NamedTuple

from corsproxy.core.messages import Field
from corsproxy.http2.field_coding import FieldCodingError, FieldDecoder
from corsproxy.http2.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    PADDED,
    PRIORITY,
    ConnectionFaultError,
    ErrorCode,
    Frame,
    check,
)

_MOST_IN_BLOCK: Final = 128 * 1024
# An empty frame costs as much as one with content.
_MOST_SMALL: Final = 64
_SMALL: Final = 1024


class FieldSection(NamedTuple):
    """A decoded block."""

    stream: int
    fields: list[Field]
    has_ended: bool
    """Whether nothing follows on the stream."""
    is_too_large: bool
    """Whether fields were dropped because of the limit."""


class BlockReader:
    """Reads the blocks of one connection."""

    def __init__(self, most: int) -> None:
        """Up to `most` bytes of a section are kept."""
        self._decoder: Final = FieldDecoder(most)
        self._data = bytearray()
        self._stream = 0
        self._has_ended = False
        self._small = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether a block has begun and not ended."""
        return self._stream != 0

    @property
    def held(self) -> int:
        """How many bytes of it are held."""
        return len(self._data)

    def check(self, frame: Frame) -> None:
        """Raise ConnectionFaultError for a frame that must not come now."""
        if self._stream and (frame.kind != CONTINUATION or frame.stream != self._stream):
            raise ConnectionFaultError(ErrorCode.PROTOCOL_ERROR, "a frame inside a field block")

    def headers(self, frame: Frame) -> FieldSection | None:
        """Begin a block; return it decoded if it is complete, None if it continues. Raises
        ConnectionFaultError."""
        check(
            frame.stream % 2 == 1,
            ErrorCode.PROTOCOL_ERROR,
            "a request on a stream that is not the client's",
        )
        payload, begin, end = frame.payload, 0, frame.size
        if frame.flags & PADDED:
            check(bool(payload), ErrorCode.FRAME_SIZE_ERROR, "padding without its length")
            begin, end = 1, end - payload[0]
        if frame.flags & PRIORITY:
            begin += 5
            check(begin <= frame.size, ErrorCode.FRAME_SIZE_ERROR, "a priority that is cut off")
        check(begin <= end, ErrorCode.PROTOCOL_ERROR, "more padding than there is room for")
        self._stream, self._has_ended = frame.stream, bool(frame.flags & END_STREAM)
        self._data = bytearray(payload[begin:end])
        self._small = 0
        return self._section() if frame.flags & END_HEADERS else None

    def continuation(self, frame: Frame) -> FieldSection | None:
        """Do the same for a CONTINUATION of the block."""
        check(self._stream != 0, ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._data += frame.payload
        self._small += frame.size < _SMALL
        if len(self._data) > _MOST_IN_BLOCK or self._small > _MOST_SMALL:
            raise ConnectionFaultError(ErrorCode.ENHANCE_YOUR_CALM, "an endless field block")
        return self._section() if frame.flags & END_HEADERS else None

    def _section(self) -> FieldSection:
        stream, block = self._stream, bytes(self._data)
        self._stream = 0
        self._data.clear()
        try:
            fields = self._decoder.decode(block)
        except FieldCodingError as error:
            raise ConnectionFaultError(ErrorCode.COMPRESSION_ERROR, str(error)) from error
        return FieldSection(stream, fields, self._has_ended, self._decoder.is_too_large)
