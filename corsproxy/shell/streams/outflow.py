"""Writing to a connection at the pace of its peer."""

import asyncio
from collections.abc import Callable

from corsproxy.http1.chunked import LAST_CHUNK, chunk
from corsproxy.shell.streams.piece import PIECE_SIZE, TURN, Piece, descriptor, room, write
from corsproxy.shell.streams.seams import RequestBody


class Outflow:
    """The sending side of a transport; one writer at a time.

    `stalled` is called with True when the writer begins to wait for the peer, and with False
    when it continues.
    """

    def __init__(self, transport: asyncio.WriteTransport, stalled: Callable[[bool], None]) -> None:
        self._transport = transport
        self._descriptor = descriptor(transport)
        self._stalled = stalled
        self._writable: asyncio.Future[None] | None = None
        self.choked = False
        """Whether more has been written than the peer takes."""

    async def write(self, data: bytes) -> None:
        """Write, and wait while the peer does not read.

        Raises ConnectionResetError where the connection is gone.
        """
        if not await self._send(data):
            raise ConnectionResetError("the upstream has closed the connection")

    async def send_content(self, body: RequestBody, *, chunked: bool) -> None:
        """Write the rest of `body`; raises what reading it raises.

        Ends early if the connection is gone, which `connection_lost` reports.
        """
        most, carried = PIECE_SIZE, 0
        while data := await body.read(most):
            if not await self._send(chunk(data) if chunked else data):
                return
            if body.at_end:
                break
            most = room(self._transport, self._descriptor, len(data))
            carried += len(data)
            if carried >= TURN:
                carried = 0
                await asyncio.sleep(0)
        if chunked and not self._transport.is_closing():
            self._transport.write(LAST_CHUNK)

    def choke(self) -> None:
        """The transport's buffer is full: asyncio's pause_writing."""
        self.choked = True

    def release(self) -> None:
        """There is room again, or the connection is gone."""
        self.choked = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    async def _send(self, data: Piece) -> bool:
        """Write, and wait for room; returns whether the connection is still there."""
        if self._transport.is_closing():
            return False
        write(self._transport, self._descriptor, data)
        if self.choked:
            self._stalled(True)
            self._writable = asyncio.get_running_loop().create_future()
            try:
                await self._writable
            finally:
                self._writable = None
            self._stalled(False)
        return not self._transport.is_closing()
