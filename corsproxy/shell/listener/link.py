"""The line to a client: who is there, how much is on its way, and how it ends.

What it promises: nothing waits for a client that does not read; an answer is not lost to
a reset of our own making; what was cut cannot pass for complete; and a client that has
left is noticed even while nothing is read from it.
"""

import asyncio
import logging
import socket
import struct
from contextlib import suppress
from typing import Final, cast

from corsproxy.core.policy import Limits
from corsproxy.shell.listener.faults import ClientLeftError
from corsproxy.shell.listener.peer_closed import peer_closed
from corsproxy.shell.listener.write_timeout import WriteTimeout
from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece, descriptor, room, write

LINGER_S: Final = 5.0
"""How long an ended connection is read on, so that its answer arrives (RFC 9112, 9.6)."""

# Why a connection is not read: content, or bytes of a tunnel, that nobody has taken yet; or
# requests that nobody has begun.
CONTENT: Final = 1
REQUESTS: Final = 2

# More is written only when nothing is left of what was: all that a client which does not read
# costs is one piece on its way.
_WRITE_BUFFER: Final = 0
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

logger = logging.getLogger("corsproxy")


class Link(asyncio.BufferedProtocol):
    """One client connection, below its messages."""

    __slots__ = (
        "_descriptor",
        "_held_by",
        "_loop",
        "_wire",
        "_writable",
        "_writing",
        "client",
        "ended_by",
        "is_deaf",
        "is_ending",
        "reading",
        "secure",
        "transport",
        "writing_paused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self._loop = loop
        self._held_by = 0
        self.client = ""
        """The peer's IP address; empty where there is none."""
        self.secure = False
        """Whether the connection is TLS."""
        self.ended_by: str | None = None
        """What ended the connection, where it was not the client."""
        self.reading = Deadline(loop, self._overdue)
        """How long the client may take with what is awaited of it now."""
        self.writing_paused = False
        """Whether more has been written than the client takes."""
        self._writable: asyncio.Future[None] | None = None
        self._writing = WriteTimeout(loop, limits.write_timeout, self._stalled)
        self.is_deaf = False
        """Whether what arrives is thrown away."""
        self.is_ending = False
        """Whether nothing more is sent, and only the client's end is waited for."""
        self.transport: asyncio.Transport | None = None
        """Where to write; None as soon as the connection is being closed."""
        self._wire: asyncio.Transport | None = None  # stays until the connection is lost
        self._descriptor = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = self._wire = self.transport = cast(asyncio.Transport, transport)
        wire.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._descriptor = descriptor(wire)
        peer = wire.get_extra_info("peername")
        # A Unix socket's peer is a string, and names nobody.
        self.client = peer[0] if isinstance(peer, tuple) else ""
        self.secure = wire.get_extra_info("sslcontext") is not None
        sock = wire.get_extra_info("socket")
        if sock is not None:
            # A client whose machine is gone says nothing any more, not even in a tunnel.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if peer is None:
            # It left before it could be asked for its address. What it has sent must not go
            # on without one: to the upstream it would look as if we had asked ourselves.
            self.abort("client-left")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.force_close()
        self._wire = None
        self.resume_writing()
        # A timer would keep alive all that belongs to the connection.
        self.reading.stop()
        self._writing.stop()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _overdue(self) -> None:
        """The client has taken longer than it may."""
        self.force_close()

    def pause_reading(self, cause: int = CONTENT) -> None:
        """Stop reading, until `flow` is called for every cause. Not where the connection is ended
        in stages: what is thrown away is read."""
        if self.is_ending:
            return
        if not self._held_by and self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        self._held_by |= cause

    def resume_reading(self, cause: int = CONTENT) -> None:
        """Read on, as far as it is up to `cause`."""
        if not self._held_by:
            return
        self._held_by &= ~cause
        wire = self.transport
        if not self._held_by and wire is not None and not wire.is_closing():
            wire.resume_reading()

    def drop_if_left(self, *, half_close: bool) -> None:
        """Drop the connection if the client has left it while nothing is read from it;
        with `half_close`, only if it is gone altogether."""
        wire = self.transport
        if (
            wire is not None
            and not wire.is_reading()
            and peer_closed(wire.get_extra_info("socket"), half_close=half_close)
        ):
            self.abort("client-left")

    def send(self, data: Piece) -> None:
        """Write; raises ClientLeftError where nobody is left to read."""
        if self.transport is None:
            raise ClientLeftError
        write(self.transport, self._descriptor, data)

    def room(self, last: int) -> int:
        """Return how much may be read at once for the next `send`, where `last` bytes were the
        last that was sent."""
        wire = self.transport
        return PIECE_SIZE if wire is None else room(wire, self._descriptor, last)

    async def drained(self) -> None:
        """Wait while the client does not read. Raises ClientLeftError."""
        if not self.writing_paused:
            return
        if self._wire is not None:
            self._writing.start(self._wire)
        if self._writable is None or self._writable.done():
            self._writable = self._loop.create_future()
        try:
            await self._writable
        finally:
            self._writing.clear()
        if self.transport is None:
            raise ClientLeftError

    def _stalled(self) -> None:
        self.abort("client-stalled")

    def write_eof(self) -> bool:
        """Close the sending side, behind what has been written. Returns whether it did."""
        wire = self.transport
        if wire is None or wire.is_closing() or not wire.can_write_eof():
            return False
        try:
            wire.write_eof()
        except OSError:
            # A reset has arrived that nobody has read yet.
            return False
        return True

    def end_in_stages(self) -> None:
        """Send no more, and throw away what arrives until the client has closed.

        Closing at once would answer bytes that are still on their way with a reset,
        which can destroy the answer before the client has read it (RFC 9112, 9.6).
        """
        self.is_deaf = self.is_ending = True
        wire = self.transport
        if wire is not None and self.write_eof():
            self.resume_reading(CONTENT | REQUESTS)
            self.reading.set(LINGER_S)
        else:
            self.force_close()

    def close_behind(self) -> None:
        """Close once what is written has gone out, or the client stops reading it."""
        wire = self.transport
        if wire is not None:
            self._writing.start(wire)
            wire.close()

    async def ended(self) -> None:
        """Wait for the end of a connection that is ended in stages: it never returns,
        because losing the connection cancels whoever waits here."""
        if self.transport is not None:
            await asyncio.get_running_loop().create_future()

    def force_close(self) -> None:
        """Close likewise, and read nothing more."""
        self.close_behind()
        self.transport = None

    def abort(self, cause: str | None = None, *, reset: bool = True) -> None:
        """Drop the connection, so that nothing sent so far can pass for complete.

        `reset` false ends it without a reset, which spares what the client has not read
        yet; for content whose framing shows that it is cut.
        """
        if self.ended_by is None:
            self.ended_by = cause
        wire = self._wire
        if wire is None:
            return
        if reset and not wire.is_closing():
            sock = wire.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        wire.abort()
