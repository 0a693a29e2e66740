"""A request's content, from the connection that reads it to whoever wants it."""

from typing import Final

from corsproxy.shell.streams.body_buffer import BodyBuffer, Tap
from corsproxy.shell.streams.piece import Piece


class Content(BodyBuffer):
    """The content of one request. The connection calls `add`, `end` and `fail`, then `wake`."""

    __slots__ = ("received",)

    def __init__(self, tap: Tap | None) -> None:
        super().__init__(tap)
        self.received = 0
        """How much of it has arrived."""

    def add(self, data: Piece) -> None:
        """Put in what has arrived. Behind a failure, nobody reads any more."""
        if self.failure is None:
            self.received += len(data)
            self.put(data)


NO_CONTENT: Final = Content(None)
NO_CONTENT.end()
