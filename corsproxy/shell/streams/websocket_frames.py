"""WebSocket frames seen from outside (RFC 6455, 5.2): where one ends and the next begins.

A tunnel carries bytes as they are; to end it in the protocol's own words, a frame must be
put between two others. Only headers are read, nothing is unmasked, and no byte is kept
but those of a header that has not arrived in full.
"""

import os
import struct

GOING_AWAY = 1001
"""The status of an endpoint that goes away, such as a server going down (7.4.1)."""

_CLOSE = 0x8
_CONTROL = 0x8
_FINAL = 0x80
_MASKED = 0x80
_KEY = 4
# What the second byte's length says where the length itself follows it.
_TWO_BYTES_FOLLOW = 126
_EIGHT_BYTES_FOLLOW = 127
_LONGEST_HEADER = 10  # without the masking key, which counts as content here


def close_frame(status: int, *, masked: bool) -> bytes:
    """Return a Close frame without a reason (5.5.1); masked as what a client sends is."""
    content = struct.pack(">H", status)
    if not masked:
        return bytes((_FINAL | _CLOSE, len(content))) + content
    key = os.urandom(_KEY)
    hidden = bytes(byte ^ key[index] for index, byte in enumerate(content))
    return bytes((_FINAL | _CLOSE, _MASKED | len(content))) + key + hidden


class FrameTracker:
    """Follows one direction of a WebSocket.

    Behind what is no frame, or not masked as it must be (5.1), it is `lost`, and there is no
    boundary any more.
    """

    __slots__ = (
        "_closes", "_excess", "_header", "_least", "_left", "_masked", "_most", "at_boundary",
        "closed", "lost",
    )  # fmt: skip

    def __init__(self, *, masked: bool) -> None:
        """`masked` for what a client sends."""
        self._masked = masked
        self._least = 2 + _KEY if masked else 2
        self._most = self._least + _TWO_BYTES_FOLLOW - 1
        # The second byte of a frame with a short length, less the frame's own length.
        self._excess = (_MASKED if masked else 0) - self._least
        self._left = 0  # content of the frame in progress that is still to come
        self._header = b""  # of the next frame, as far as it has arrived
        self._closes = False  # whether the frame in progress is a Close
        self.lost = False
        """Whether it is no WebSocket after all."""
        self.at_boundary = True
        """Whether every frame so far is complete."""
        self.closed = False
        """Whether one of them was a Close, behind which there are no more (5.5.1)."""

    def feed(self, data: bytes) -> None:
        """Follow bytes that are not empty."""
        size = len(data)
        if (
            self.at_boundary
            # Nearly always: one read, one short frame.
            and self._least <= size <= self._most
            and data[1] == size + self._excess
            and data[0] & 0x0F != _CLOSE
        ):
            return
        if size < self._left:
            self._left -= size
            return
        self.feed_frames(data)

    def feed_frames(self, data: bytes) -> int:
        """Follow bytes, and return how many of them belong to frames that are complete."""
        at = whole = 0
        while at < len(data) and not self.lost:
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
            else:
                at += self._begin(data[at : at + _LONGEST_HEADER])
            if not (self._left or self._header or self.lost):
                whole = at
                self.closed = self.closed or self._closes
        self.at_boundary = whole == len(data) and not self.lost
        return whole

    def _begin(self, data: bytes) -> int:
        """Read a header, or keep it where it goes on; returns how many bytes were taken."""
        known = len(self._header)
        header = self._header + data
        length = header[1] & ~_MASKED if len(header) > 1 else 0
        size = 2 + {_TWO_BYTES_FOLLOW: 2, _EIGHT_BYTES_FOLLOW: 8}.get(length, 0)
        if len(header) < size:
            self._header = header
            return len(data)
        self._header = b""
        if size > 2:
            length = int.from_bytes(header[2:size], "big")
        opcode = header[0] & 0x0F
        is_control = opcode >= _CONTROL
        self.lost = (
            (header[1] & _MASKED != 0) is not self._masked
            or (is_control and (size > 2 or not header[0] & _FINAL))
            or length >> 63 != 0
        )
        self._closes = opcode == _CLOSE
        self._left = length + (_KEY if self._masked else 0)
        return size - known
