"""The transport to a client: writing, pausing, and closing.

What it promises: nothing waits forever for a client that does not read; no answer is lost to a
reset that this side causes; truncated responses do not look complete; a client that has left is
noticed even while nothing is read from it.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final, cast

from corsproxy.core.policy import Limits
from corsproxy.shell.listener.faults import ClientLeftError
from corsproxy.shell.listener.peer_closed import peer_closed
from corsproxy.shell.listener.write_timeout import WriteTimeout, unsent
from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.gathered import gathered
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece, descriptor, room, write

LINGER_S: Final = 5.0
"""How long a closing connection is still read once the client's machine has everything, so that
the answer arrives (RFC 9112, 9.6)."""

# Why reading is paused: content or tunnel bytes have not been taken, or requests have not begun.
CONTENT: Final = 1
REQUESTS: Final = 2

# More is written only when the buffer is empty: a client that does not read costs one piece.
_WRITE_BUFFER: Final = 0
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

logger = logging.getLogger("corsproxy")


class WireState(Enum):
    """How far a connection has closed; it never goes back."""

    OPEN = "both ways"
    ENDING = "nothing more is sent, and what arrives is discarded"
    CLOSED = "the client is gone"


_OPEN: Final = WireState.OPEN
_ENDING: Final = WireState.ENDING
_CLOSED: Final = WireState.CLOSED


class Wire:
    """One client connection, below its messages; a `Tap`."""

    __slots__ = (
        "_descriptor", "_held_by", "_loop", "_overdue", "_writable", "_writing", "client",
        "ended_by", "is_writing_paused", "reading", "secure", "state", "transport",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, overdue: Callable[[], None]
    ) -> None:
        """`overdue` is called when an open client has taken longer than it may."""
        self.state = _OPEN
        self.client = ""
        """The peer's IP address; empty where there is none."""
        self.secure = False
        """Whether the connection is TLS."""
        self.ended_by: str | None = None
        """What ended the connection, if it was not the client."""
        self.reading: Final = Deadline(loop, self._out_of_time)
        """How long the client may take with what is awaited of it now."""
        self.is_writing_paused = False
        """Whether more has been written than the client takes."""
        self.transport: asyncio.Transport | None = None
        """Until the connection is lost."""
        self._loop: Final = loop
        self._overdue: Final = overdue
        self._held_by = 0
        self._writable: asyncio.Future[None] | None = None
        self._writing: Final = WriteTimeout(loop, limits.write_timeout, self._stalled)
        self._descriptor = -1

    @property
    def is_gone(self) -> bool:
        """Whether the client is gone."""
        return self.state is _CLOSED

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is sent, and only the client's end is waited for."""
        return self.state is _ENDING

    @property
    def has_unsent(self) -> bool:
        """Whether some of what was written has not reached the client's machine."""
        return self.transport is not None and unsent(self.transport) > 0

    # What asyncio tells.

    def made(self, raw: asyncio.BaseTransport) -> None:
        """The connection is there."""
        transport = self.transport = gathered(raw, self._loop)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._descriptor = descriptor(transport)
        peer = transport.get_extra_info("peername")
        # A Unix socket's peer is a string, without an address.
        self.client = peer[0] if isinstance(peer, tuple) else ""
        self.secure = transport.get_extra_info("sslcontext") is not None
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Otherwise a client whose machine is gone would not be noticed in a tunnel.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if peer is None:
            # It left before its address was known. Its request must not be forwarded without
            # one: to the upstream it would look like the proxy's own.
            self.abort("client-left")

    def lost(self) -> None:
        """The connection is gone."""
        self.state = _CLOSED
        self.transport = None
        self.resume_writing()
        # A timer would keep the whole connection alive.
        self.reading.stop()
        self._writing.stop()

    def pause_writing(self) -> None:
        self.is_writing_paused = True

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # Reading.

    def pause_reading(self, cause: int = CONTENT) -> None:
        """Stop reading until `resume_reading` is called for every cause. Not while the connection
        is closing in stages: then what arrives is discarded."""
        if self.state is _ENDING:
            return
        wire = self.transport
        if not self._held_by and self.state is _OPEN and wire is not None and not wire.is_closing():
            wire.pause_reading()
        self._held_by |= cause

    def resume_reading(self, cause: int = CONTENT) -> None:
        """Resume reading, unless there is another cause to pause."""
        if not self._held_by:
            return
        self._held_by &= ~cause
        wire = self.transport
        if (
            not self._held_by
            and self.state is not _CLOSED
            and wire is not None
            and not wire.is_closing()
        ):
            wire.resume_reading()

    def drop_if_left(self, *, half_close: bool) -> None:
        """Drop the connection if the client has left while reading is paused; with `half_close`,
        only if it has closed both sides."""
        wire = self.transport
        if (
            wire is not None
            and self.state is not _CLOSED
            and not wire.is_reading()
            and peer_closed(wire.get_extra_info("socket"), half_close=half_close)
        ):
            self.abort("client-left")

    # Writing.

    def send(self, data: Piece) -> None:
        """Write; raises ClientLeftError if the client is gone."""
        wire = self.transport
        if wire is None or self.state is _CLOSED:
            raise ClientLeftError
        write(wire, self._descriptor, data)

    def room(self, last: int) -> int:
        """Return how much may be read at once for the next `send`, where `last` bytes were the
        last that was sent."""
        wire = self.transport
        if wire is None or self.state is _CLOSED:
            return PIECE_SIZE
        return room(wire, self._descriptor, last)

    async def drained(self) -> None:
        """Wait while the client does not read. Raises ClientLeftError."""
        if not self.is_writing_paused:
            return
        if self.transport is not None:
            self._writing.start(self.transport)
        if self._writable is None or self._writable.done():
            self._writable = self._loop.create_future()
        try:
            await self._writable
        finally:
            self._writing.clear()
        if self.state is _CLOSED:
            raise ClientLeftError

    def _stalled(self) -> None:
        # One that has everything has only its end left to say.
        if self.state is not _ENDING or self.has_unsent:
            self.abort("client-stalled")

    # The end.

    def write_eof(self) -> bool:
        """Close the sending side after what was written; return whether that was possible."""
        wire = self.transport
        if wire is None or self.state is _CLOSED or wire.is_closing() or not wire.can_write_eof():
            return False
        try:
            wire.write_eof()
        except OSError:
            # A reset has arrived and was not read yet.
            return False
        return True

    def end_in_stages(self) -> None:
        """Send no more, and discard what arrives until the client has closed.

        Closing at once would answer bytes that are still on their way with a reset, which can
        destroy the answer before the client has read it (RFC 9112, 9.6).
        """
        if self.state is _CLOSED:
            return
        if self.write_eof():
            self.state = _ENDING
            self.resume_reading(CONTENT | REQUESTS)
            self.reading.set(LINGER_S)
            self._writing.start(cast(asyncio.Transport, self.transport))
        else:
            self.close()

    def _out_of_time(self) -> None:
        if self.state is not _ENDING:
            self._overdue()
        elif self.has_unsent:
            # A slow client is still reading; one that takes nothing is dropped as stalled.
            self.reading.set(LINGER_S)
        else:
            self.close()

    async def ended(self) -> None:
        """Wait for the end of a connection that is closing in stages. It never returns: losing the
        connection cancels the task."""
        if self.state is not _CLOSED:
            await self._loop.create_future()

    def close(self) -> None:
        """Read nothing more, and close once everything written was sent, or the client stops
        reading."""
        wire = self.transport
        if self.state is not _CLOSED and wire is not None:
            self._writing.start(wire)
            wire.close()
        self.state = _CLOSED

    def abort(self, cause: str | None = None, *, reset: bool = True) -> None:
        """Drop the connection, so that nothing sent so far looks complete.

        Without `reset` the client can still read what was sent; that is for content whose
        framing shows that it is truncated.
        """
        if self.ended_by is None:
            self.ended_by = cause
        wire = self.transport
        if wire is None:
            return
        if reset and not wire.is_closing():
            sock = wire.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        wire.abort()
