"""The interfaces between the two legs: content with backpressure, and tunnels of bytes.

A connection is not read while its last content has not been taken.
"""

from typing import Protocol

from corsproxy.shell.streams.piece import PIECE_SIZE, Piece


class RequestBody(Protocol):
    """The client's content, which the upstream connection pulls as fast as it can write."""

    @property
    def at_end(self) -> bool:
        """Whether every byte of the content has been taken and its end was proper."""
        ...

    def take(self) -> bytes:
        """Return the content that has arrived and not been taken, without waiting.

        What arrived with the head is sent with the head, in one write.
        """
        ...

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next bytes, or b"" at the end; waits while there are none. They are
        lent: good until the caller awaits anything. `most` is how many may be read at once.

        Raises one of the listener's exceptions if the client leaves, stalls or sends more than
        it may; the upstream connection is then aborted and the exception passed on.
        """
        ...


class ByteStream(Protocol):
    """One end of a tunnel: raw bytes after a 101.

    Once either side has dropped the connection, `read`, `write` and `push` raise
    ConnectionError.
    """

    async def read(self) -> bytes:
        """Return the next bytes, or b"" when the peer has closed its sending side."""
        ...

    async def write(self, data: bytes) -> None:
        """Write, and wait while the peer does not read."""
        ...

    def push(self, data: bytes) -> None:
        """Write a few bytes without waiting, after what is being written."""
        ...

    def write_eof(self) -> None:
        """Close the sending side (half-close); reading continues."""
        ...

    def abort(self) -> None:
        """Drop the connection at once. May be called at any time, any number of times."""
        ...
