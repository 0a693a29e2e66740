"""A request's content, from the connection that reads it to whoever wants it.

aiohttp's parser leaves what it has parsed in a reader of its own, which is emptied into this
at once. Content of known length needs no parsing: once its beginning has been read, the rest
is only counted.
"""

from typing import Final

from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from corsproxy.shell.client.message import RequestMessage
from corsproxy.shell.streams.intake import Intake, Tap
from corsproxy.shell.streams.piece import Piece


class Content(Intake):
    """The content of one request."""

    __slots__ = ("_parsed", "is_counted", "left", "received")

    def __init__(self, tap: Tap | None, parsed: StreamReader, length: int | None) -> None:
        """`parsed` is where the parser puts it; `length` is None where only the parser can tell."""
        super().__init__(tap)
        self._parsed = parsed
        self.left = length
        """How much of it is still to come; None as `length`."""
        self.received = 0
        """How much of it has arrived."""
        self.is_counted = False
        """Whether it is counted, and no longer parsed."""

    @property
    def has_arrived(self) -> bool:
        """Whether all of it is there, and its end."""
        return self._ended

    @property
    def failure(self) -> BaseException | None:
        """What it has failed with."""
        return self._failure

    def collect(self) -> None:
        """Put in what the parser has parsed."""
        data = self._parsed.read_nowait()
        if data:
            self.put(data)
        if self._parsed.is_eof():
            self.end()

    def put(self, data: Piece) -> None:
        if self.left is not None:
            self.left -= len(data)
        # Behind a failure, nobody reads any more.
        if self._failure is None:
            self.received += len(data)
            super().put(data)


NO_CONTENT: Final = Content(None, EMPTY_PAYLOAD, 0)
NO_CONTENT.end()


def content_of(message: RequestMessage, tap: Tap, parsed: StreamReader) -> Content:
    """Return the content of `message`, with what has arrived of it."""
    if parsed is EMPTY_PAYLOAD:
        return NO_CONTENT
    # Behind content and a switch of protocols, only the parser can stop.
    content = Content(tap, parsed, None if message.upgrade else message.length)
    content.collect()
    return content
