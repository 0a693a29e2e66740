"""A request's content, from the connection that reads it to whoever wants it.

Content of known length is counted, and may be lent; chunked content is decoded.
"""

from typing import Final

from corsproxy.http1.chunked import ChunkedDecoder
from corsproxy.http1.request_message import RequestMessage
from corsproxy.shell.streams.body_buffer import BodyBuffer, Tap
from corsproxy.shell.streams.piece import Piece


class Content(BodyBuffer):
    """The content of one request."""

    __slots__ = ("_decoder", "left", "received")

    def __init__(self, tap: Tap | None, length: int | None) -> None:
        """`length` is None where it is chunked."""
        super().__init__(tap)
        self._decoder = ChunkedDecoder() if length is None else None
        self.left = 0 if length is None else length
        """How much of it is still to come; 0 where only its end can tell."""
        self.received = 0
        """How much of it has arrived."""

    @property
    def has_arrived(self) -> bool:
        """Whether all of it is there, and its end."""
        return self._ended

    @property
    def failure(self) -> BaseException | None:
        """What it has failed with."""
        return self._failure

    def feed(self, data: bytes, at: int) -> int:
        """Put in what `data` holds of it from there on; returns where that ends.

        Raises ChunkedCodingError.
        """
        decoder = self._decoder
        if decoder is None:
            end = min(at + self.left, len(data))
            self.count(data[at:end])
            return end
        decoded, end = decoder.decode(data, at)
        if decoded:
            self._keep(decoded)
        if decoder.has_ended:
            self.end()
        return end

    def count(self, data: Piece) -> None:
        """Put in the next bytes of what has a length, and has not all arrived."""
        self.left -= len(data)
        self._keep(data)
        if not self.left:
            self.end()

    def _keep(self, data: Piece) -> None:
        # Behind a failure, nobody reads any more.
        if self._failure is None:
            self.received += len(data)
            self.put(data)


NO_CONTENT: Final = Content(None, 0)
NO_CONTENT.end()


def content_of(message: RequestMessage, tap: Tap) -> Content:
    """Return where the content of `message` goes, of which nothing has arrived."""
    if message.is_chunked:
        return Content(tap, None)
    return Content(tap, message.length) if message.length else NO_CONTENT
