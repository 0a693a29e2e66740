"""An answer on an HTTP/1.1 connection, and the tunnel that a 101 makes of it."""

import asyncio
from typing import Protocol

from corsproxy.core.messages import UpstreamHead
from corsproxy.shell.streams.intake import Intake, Tap


class Line(Tap, Protocol):
    """The connection under an exchange, as the answer sees it."""

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


class Http1Response(Intake):
    """The answer to one request; a `shell.upstreams.upstream.UpstreamResponse`.

    `arrival` is done when the final head is there, or when the exchange has failed.
    """

    __slots__ = ("_head", "_line", "arrival", "touched")

    def __init__(self, line: Line, arrival: asyncio.Future[None]) -> None:
        super().__init__(line)
        self._line: Line | None = line
        self._head: UpstreamHead | None = None
        self.arrival = arrival
        self.touched = False
        """Once the exchange is over: whether a byte of an answer was received."""

    @property
    def head(self) -> UpstreamHead:
        if self._head is None:
            raise RuntimeError("the head has not arrived yet")
        return self._head

    def switch(self) -> "Http1Tunnel":
        """After a 101: the connection as a tunnel, first the bytes already received."""
        return Http1Tunnel(self, self._line)

    def abort(self) -> None:
        """Drop the connection unless the exchange is over. Safe at any time."""
        if self._line is not None:
            self._line.give_up()

    def arrive(self, head: UpstreamHead) -> None:
        """The final head is there."""
        self._head = head
        if not self.arrival.done():
            self.arrival.set_result(None)

    def fail(self, failure: BaseException) -> None:
        super().fail(failure)
        if not self.arrival.done():
            self.arrival.set_exception(failure)

    def detach(self, *, touched: bool) -> None:
        """The exchange is over: the connection is no longer this answer's."""
        self._line = None
        self.touched = touched


class Http1Tunnel:
    """A connection after its 101; a `shell.upstreams.upstream.ByteStream`."""

    def __init__(self, received: Intake, line: Line | None) -> None:
        self._received = received
        self._line = line

    async def read(self) -> bytes:
        return await self._received.read()

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
