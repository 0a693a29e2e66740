"""A piece of content on its way from one connection to another, copied only where it must wait.

A connection reads into a buffer that it uses again and again. A piece of that is *lent*: a
memoryview that whoever gets it may use until it awaits anything, and that is copied by whoever
wants it for longer. Where the peer keeps up, the kernel takes a lent piece as it is, and nobody
makes a copy; where it does not, what is left becomes bytes of their own, in the transport.
"""

import asyncio
import os
import socket
import struct
import sys
from typing import Final

Piece = bytes | memoryview
"""Bytes to keep, or lent ones."""

PIECE_SIZE: Final = 64 * 1024
"""Bytes that are read at once: not more, because a peer that does not read holds up as much."""
READ_SIZE: Final = 256 * 1024
"""The same where the peer has `room` for them; each read and write costs the less."""
SHARED: Final = 16 * 1024 * 1024
"""Bytes that all connections of a `ReadBuffer` read at once, together: what each has read may
wait for a peer, and many that wait must not take more memory than there is."""
LEAST_PIECE: Final = 4 * 1024
"""What each may read all the same."""
TURN: Final = 2 * 1024 * 1024
"""Bytes that one flow may carry before others get their turn."""

# What is written to a TlsConnection is encrypted at once: it keeps no memoryview.
_TLS: Final = -2
# asm-generic/socket.h and linux/sock_diag.h: nine numbers about a socket's memory.
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("9I")


class ReadBuffer:
    """What connections are read into, one after another; those of one loop may share it.

    The more there are, the less each reads at once.
    """

    __slots__ = ("_connections", "_piece", "_whole")

    def __init__(self) -> None:
        self._whole = memoryview(bytearray(READ_SIZE))
        self._piece = self._whole[:PIECE_SIZE]
        self._connections = 0

    def join(self) -> None:
        """There is one connection more."""
        self._connections += 1
        self._divide()

    def leave(self) -> None:
        """There is one connection less."""
        self._connections -= 1
        self._divide()

    def _divide(self) -> None:
        share = SHARED // max(self._connections, 1)
        size = PIECE_SIZE if share >= PIECE_SIZE else max(share, LEAST_PIECE)
        if size != len(self._piece):
            self._piece = self._whole[:size]

    def space(self, most: int = PIECE_SIZE) -> memoryview:
        """Return where a read of up to `most` bytes goes."""
        piece = self._piece
        if most == PIECE_SIZE:
            return piece
        size = len(piece)
        return self._whole[:most] if size == PIECE_SIZE else self._whole[: min(most, size)]

    def lent(self, size: int) -> memoryview:
        """Return the `size` bytes that a read has put in."""
        return self._whole[:size]


def descriptor(transport: asyncio.BaseTransport) -> int:
    """Return what `write` may write to past the transport; below 0 where all must go through it."""
    if transport.get_extra_info("sslcontext") is not None:
        return _TLS
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


def write(transport: asyncio.WriteTransport, past: int, piece: Piece) -> None:
    """Write `piece` to a transport whose `descriptor` is `past`."""
    if isinstance(piece, memoryview) and past != _TLS:
        # A name for it: mypyc asks twice for what stands in a slice.
        written = _written(transport, past, piece)
        if written == len(piece):
            return
        piece = bytes(piece[written:])
    transport.write(piece)


def room(transport: asyncio.WriteTransport, past: int, last: int) -> int:
    """Return how much may be read at once to be written next, where `last` bytes were the last:
    what the kernel has room for, from PIECE_SIZE to READ_SIZE."""
    if last < PIECE_SIZE or past < 0 or transport.is_closing() or sys.platform != "linux":
        return PIECE_SIZE
    try:
        told = transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size
        )
        _, _, taken, most, _, queued, _, _, _ = _MEMINFO.unpack(told)
    except (OSError, struct.error):
        return PIECE_SIZE
    # The one counts for TCP, the other for Unix sockets.
    used = max(int(queued), int(taken))
    return max(PIECE_SIZE, min(READ_SIZE, int(most) - used))


def _written(transport: asyncio.WriteTransport, past: int, piece: memoryview) -> int:
    """Return how much of `piece` the kernel has taken, behind all that was written before."""
    # The descriptor of a transport that is closing may be another connection's already.
    if past < 0 or transport.is_closing() or transport.get_write_buffer_size():
        return 0
    try:
        return os.write(past, piece)
    except OSError:
        # There is no room; or the connection is gone, which the transport must find out itself.
        return 0
