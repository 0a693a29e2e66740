"""A response on an HTTP/1.1 connection, and the tunnel that a 101 turns it into."""

from collections.abc import Coroutine
from typing import Final, Protocol

from corsproxy.core.messages import UpstreamHead
from corsproxy.shell.streams.body_buffer import BodyBuffer, Tap
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece


class Line(Tap, Protocol):
    """The connection of an exchange, as the response sees it."""

    def give_up(self) -> None:
        """Drop the connection at once."""
        ...

    async def write(self, data: bytes) -> None:
        """Write, and wait while the upstream does not read."""
        ...

    def push(self, data: bytes) -> None:
        """Write without waiting."""
        ...

    def write_eof(self) -> None:
        """Close the sending side."""
        ...


class Http1Response:
    """The response to one request; a `shell.upstream.upstream.UpstreamResponse`."""

    __slots__ = ("_head", "_line", "content", "touched")

    def __init__(self, line: Line) -> None:
        self.content: Final = BodyBuffer(line)
        """The connection adds what arrives."""
        self._line: Line | None = line
        self._head: UpstreamHead | None = None
        self.touched = False
        """Once the exchange is over: whether any byte of a response was received."""

    @property
    def head(self) -> UpstreamHead:
        if self._head is None:
            raise RuntimeError("the head has not arrived yet")
        return self._head

    async def arrival(self) -> None:
        """Wait for the final head. Raises the error if the exchange fails before it."""
        while self._head is None:
            if self.content.failure is not None:
                raise self.content.failure
            await self.content.changed

    @property
    def at_end(self) -> bool:
        return self.content.at_end

    def take(self) -> bytes:
        return self.content.take()

    def read(self, most: int = PIECE_SIZE) -> Coroutine[object, object, Piece]:
        return self.content.read(most)

    def switch(self) -> "Http1Tunnel":
        """After a 101: the connection as a tunnel, first the bytes already received."""
        return Http1Tunnel(self.content, self._line)

    def abort(self) -> None:
        """Drop the connection unless the exchange is over. Safe at any time."""
        if self._line is not None:
            self._line.give_up()

    def arrive(self, head: UpstreamHead) -> None:
        """Store the final head; the reader notices when `content` wakes it."""
        self._head = head

    def detach(self, *, touched: bool) -> None:
        """The exchange is over: the connection no longer belongs to this response."""
        self._line = None
        self.touched = touched


class Http1Tunnel:
    """A connection after its 101; a `shell.upstream.upstream.ByteStream`."""

    def __init__(self, received: BodyBuffer, line: Line | None) -> None:
        self._received = received
        self._line = line

    async def read(self) -> bytes:
        return bytes(await self._received.read())

    async def write(self, data: bytes) -> None:
        if self._line is None:
            raise ConnectionResetError("the upstream has closed the connection")
        await self._line.write(data)

    def push(self, data: bytes) -> None:
        if self._line is None:
            raise ConnectionResetError("the upstream has closed the connection")
        self._line.push(data)

    def write_eof(self) -> None:
        if self._line is not None:
            self._line.write_eof()

    def abort(self) -> None:
        if self._line is not None:
            self._line.give_up()
