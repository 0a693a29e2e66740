"""A tunnel that can be ended as WebSocket wants it: each end is told, and answers.

Until then it carries bytes like any other tunnel, and only notes where frames end.
"""

from contextlib import suppress

from corsproxy.shell.streams.seams import ByteStream
from corsproxy.shell.streams.tunnel import ByteTunnel, Flow
from corsproxy.shell.streams.websocket_frames import GOING_AWAY, FrameTracker, close_frame


class _End:
    """One of the two endpoints."""

    def __init__(self, stream: ByteStream, *, takes_masked: bool) -> None:
        self.stream = stream
        self._takes_masked = takes_masked
        self.is_told = False
        """Whether it was sent a Close. Nothing may follow that (RFC 6455, 5.5.1)."""

    def tell(self) -> None:
        """Send a Close: the way to the end goes away."""
        self.is_told = True
        # If it is gone by now, reading from it will show.
        with suppress(ConnectionError):
            self.stream.push(close_frame(GOING_AWAY, masked=self._takes_masked))


class _FramedFlow(Flow):
    """One direction, of which is known where its frames end."""

    def __init__(self, source: _End, sink: _End, *, masked: bool) -> None:
        super().__init__(source.stream, sink.stream)
        self._from = source
        self._to = sink
        self._frames = FrameTracker(masked=masked)
        self._parting = False

    @property
    def has_closed(self) -> bool:
        """Whether the source has sent a Close."""
        return self._frames.closed

    @property
    def is_lost(self) -> bool:
        """Whether the source speaks something else."""
        return self._frames.lost

    def part(self) -> None:
        """Carry no more than the frame in progress, and tell the sink behind it."""
        self._parting = True
        if self._frames.at_boundary:
            self._to.tell()

    async def carry(self) -> None:
        feed = self._frames.feed
        while data := await self._source.read():
            if self._parting:
                if await self._carry_last(data):
                    break
            else:
                feed(data)
                await self._sink.write(data)
                self.carried += len(data)
        if not self._to.is_told:
            self._sink.write_eof()
        elif self._from.is_told:
            # It has been told and has answered: it waits for the connection's end (7.1.1).
            self._source.write_eof()

    async def _carry_last(self, data: bytes) -> bool:
        """Carry the frames that were in progress, and tell the sink behind them; returns
        whether the source has closed, too."""
        whole = self._frames.feed_frames(data)
        if not self._to.is_told:
            last = data[:whole] if whole else data
            await self._sink.write(last)
            self.carried += len(last)
            if whole and not self.has_closed:
                self._to.tell()
        return self.has_closed and self._to.is_told


class WebSocketTunnel(ByteTunnel):
    """A tunnel between two endpoints that speak WebSocket, or say so."""

    def __init__(self, client: ByteStream, upstream: ByteStream) -> None:
        super().__init__(client, upstream)
        here = _End(client, takes_masked=False)
        there = _End(upstream, takes_masked=True)
        self._framed = (
            _FramedFlow(here, there, masked=True),
            _FramedFlow(there, here, masked=False),
        )
        self._flows = self._framed
        self._parting = False

    @property
    def is_parting(self) -> bool:
        return self._parting

    def part(self) -> bool:
        """Tell both ends that this is the end, each between two frames.

        They answer with a Close of their own, which ends `run`. Where one of them has
        begun to close by itself, it is left to them.
        """
        if any(flow.is_lost for flow in self._framed):
            return False
        self._parting = True
        if not any(flow.has_closed for flow in self._framed):
            for flow in self._framed:
                flow.part()
        return True
