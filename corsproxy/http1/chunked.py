"""The chunked transfer coding, decoded as it arrives, and written (RFC 9112, 7.1).

What it promises: the end is found exactly where the grammar puts it, so that what follows can be
read as the next request. Anything outside the grammar is an error, in particular a bare CR or LF:
recipients that tolerate different things can be attacked through the difference. Chunk extensions
and trailers are bounded, and dropped.
"""

import re
from enum import Enum
from typing import Final

# Bounds in bytes: one line, and everything that is not content beyond the amount of content. An
# extension costs its sender little, and each of its bytes must be looked at.
_LONGEST_LINE: Final = 4 * 1024
_MOST_BESIDES: Final = 16 * 1024

_CRLF: Final = b"\r\n"
# chunk-size [ chunk-ext ]: a size below 2^60. White space before the extension, which RFC 9112,
# 7.1.1 tolerates, is refused. An extension has a name.
_NAME: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION: Final = (
    rb";[\t ]*" + _NAME + rb"(?:[\t ]*=[\t ]*(?:" + _NAME + rb"|" + _QUOTED + rb"))?"
)
_SIZE: Final = rb"([0-9A-Fa-f]{1,15})"
_SIZE_LINE: Final = re.compile(_SIZE + rb"(?:" + _EXTENSION + rb")*+\r\n")
_SIZE_LINE_BEGUN: Final = re.compile(_SIZE + rb"(?:;[\t\x20-\x7e\x80-\xff]*)?\r?")
_VALUE: Final = rb":[\t\x20-\x7e\x80-\xff]*"
_TRAILER_LINE: Final = re.compile(_NAME + _VALUE + rb"\r\n")
_TRAILER_LINE_BEGUN: Final = re.compile(rb"\r|" + _NAME + rb"(?:" + _VALUE + rb"\r?)?")


class ChunkedCodingError(ValueError):
    """What has arrived is not in the chunked coding, or has too much that is not content.

    `content` is what was decoded of the same bytes before the error.
    """

    def __init__(self) -> None:
        super().__init__("a fault in the chunked coding")
        self.content = b""


class _Line(Enum):
    """What the next line is."""

    SIZE = 1
    BEHIND_DATA = 2
    TRAILER = 3


class ChunkedDecoder:
    """Decodes one request's content."""

    __slots__ = ("_begun", "_besides", "_left", "_next", "has_ended")

    def __init__(self) -> None:
        self.has_ended = False
        """Whether all of it has been decoded, the trailers included."""
        self._next = _Line.SIZE
        self._begun = b""  # of the next line
        self._left = 0  # of the chunk
        self._besides = 0

    def goes_on_for(self, size: int) -> bool:
        """Whether the next `size` bytes are all content of a chunk that continues beyond them; if
        so, count them as decoded. They need not be copied."""
        if self._left <= size:
            return False
        self._left -= size
        return True

    def decode(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return the content that begins at `at`, and where in `data` the coding ends or goes on
        beyond it.

        Raises ChunkedCodingError.
        """
        pieces: list[bytes] = []
        try:
            at = self._decode(data, at, pieces)
        except ChunkedCodingError as error:
            error.content = b"".join(pieces)
            raise
        return b"".join(pieces), at

    def _decode(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        while at < len(data) and not self.has_ended:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._besides = max(0, self._besides - len(piece))
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            line = self._begun + data[at:end]
            at = end
            if len(line) > _LONGEST_LINE:
                raise ChunkedCodingError
            if line.endswith(b"\n"):
                self._begun = b""
                self._read_line(line)
            elif self._may_begin(line):
                self._begun = line
            else:
                raise ChunkedCodingError
        return at

    def _may_begin(self, line: bytes) -> bool:
        """Whether a line may begin like this; if not, its end is not awaited."""
        if self._next is _Line.SIZE:
            return _SIZE_LINE_BEGUN.fullmatch(line) is not None
        if self._next is _Line.TRAILER:
            return _TRAILER_LINE_BEGUN.fullmatch(line) is not None
        return _CRLF.startswith(line)

    def _read_line(self, line: bytes) -> None:
        if self._next is _Line.BEHIND_DATA:
            if line != _CRLF:
                raise ChunkedCodingError
            self._next = _Line.SIZE
        elif self._next is _Line.SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise ChunkedCodingError
            size = match[1]
            self._left = int(size, 16)
            self._next = _Line.BEHIND_DATA if self._left else _Line.TRAILER
            self._spend(len(line) - len(size) - len(_CRLF))
        elif line == _CRLF:
            self.has_ended = True
        elif _TRAILER_LINE.fullmatch(line) is None:
            raise ChunkedCodingError
        else:
            self._spend(len(line))

    def _spend(self, size: int) -> None:
        self._besides += size
        if self._besides > _MOST_BESIDES:
            raise ChunkedCodingError


LAST_CHUNK: Final = b"0\r\n\r\n"


def chunk(data: bytes | memoryview) -> bytes:
    """Frame `data`, which is not empty, as one chunk (RFC 9112, 7.1)."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))
