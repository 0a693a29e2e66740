"""What has arrived of a request's head that has not ended.

Kept in case the head has to be refused, since even such an answer must carry the grant
for the Origin in it; and measured, because the parser bounds each line but not their sum.
"""

from corsproxy.core.policy import Limits

# The request line's method and version, and the ends of lines.
_MARGIN = 1024


class UnfinishedHead:
    """The bytes between the end of one request and the end of the next one's head."""

    __slots__ = ("_limit", "_received")

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.target + limits.field_section + _MARGIN
        self._received: bytearray | None = None

    def __len__(self) -> int:
        return 0 if self._received is None else len(self._received)

    def add(self, data: bytes) -> bool:
        """Keep `data`; returns whether a head begins with it.

        Empty lines before a request line are no part of it (RFC 9112, 2.2).
        """
        if self._received is not None:
            self._received += data
            return False
        data = data.lstrip(b"\r\n")
        if data:
            self._received = bytearray(data)
        return bool(data)

    @property
    def is_too_large(self) -> bool:
        """Whether no head that will be accepted can begin like this."""
        return len(self) > self._limit

    def take(self) -> bytes:
        """Return what has been kept, and forget it."""
        received, self._received = self._received, None
        return b"" if received is None else bytes(received)
