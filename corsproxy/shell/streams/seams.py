"""What crosses from one leg to the other: content with backpressure, and tunnels of bytes.

Nobody reads what nobody took: a reader that does not come back holds its peer's connection.
"""

from typing import Protocol

from corsproxy.shell.streams.piece import PIECE_SIZE, Piece


class Marks:
    """When what happened on the way to an upstream, by `time.perf_counter`; 0.0 for what did not:
    a connection that was kept is not connected anew."""

    def __init__(self) -> None:
        self.began = 0.0
        """A connection was wanted."""
        self.connecting = 0.0
        """There was room for another request (limits.in_flight), and none to use again."""
        self.connected = 0.0
        """The connection stood, before TLS."""
        self.secured = 0.0
        """TLS stood."""
        self.sending = 0.0
        """The request's head was written."""


class RequestBody(Protocol):
    """The client's content, pulled by the upstream connection as it can write it."""

    @property
    def at_end(self) -> bool:
        """Whether every byte of the content has been taken and its end was proper."""
        ...

    def take(self) -> bytes:
        """Return the content that has arrived and not been taken, without waiting.

        What has arrived with the head goes out with the head, in one write.
        """
        ...

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next bytes, or b"" at the end; waits while there are none. They are
        lent: good until the caller awaits anything. `most` is how many may be read at once.

        Raises an exception of the server's own where the client leaves, stalls or sends
        more than it may; the upstream connection is then aborted and the exception
        passed on unchanged.
        """
        ...


class ByteStream(Protocol):
    """One direction pair of a tunnel: raw bytes after a 101.

    Where the connection was dropped, by either side, `read`, `write` and `push` raise
    ConnectionError.
    """

    async def read(self) -> bytes:
        """Return the next bytes, or b"" when the peer has closed its sending side."""
        ...

    async def write(self, data: bytes) -> None:
        """Write, and wait while the peer does not read."""
        ...

    def push(self, data: bytes) -> None:
        """Write a few bytes without waiting, behind what is being written."""
        ...

    def write_eof(self) -> None:
        """Close the sending side (half-close); reading goes on."""
        ...

    def abort(self) -> None:
        """Drop the connection at once. May be called at any time, any number of times."""
        ...
