"""Content on its way from one connection to another, copied only if it must wait.

Connections read into a buffer that is used again and again. A piece of it is *lent*: a memoryview
that its receiver may use until it awaits anything, and must copy to keep for longer. While the
peer keeps up, the kernel takes lent pieces without a copy; otherwise the transport keeps a copy
of the rest.
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
"""How many bytes are read at once. A peer that does not read holds up as much."""
READ_SIZE: Final = 256 * 1024
"""The same if the peer has `room` for them: larger pieces mean fewer reads and writes."""
SHARED: Final = 16 * 1024 * 1024
"""How many bytes all connections of a `ReadBuffer` together may read at once: what they read may
have to wait for slow peers, in bounded memory."""
LEAST_PIECE: Final = 4 * 1024
"""How many each may read in any case."""
TURN: Final = 2 * 1024 * 1024
"""How many bytes one flow may carry before others get their turn."""

# A TlsConnection encrypts at once what is written to it, so it keeps no memoryview.
_TLS: Final = -2
# asm-generic/socket.h and linux/sock_diag.h: nine numbers about a socket's memory.
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("9I")


class ReadBuffer:
    """The buffer that connections of one event loop share for reading.

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
    """Return the descriptor that `write` may use directly; below 0 if all must go through the
    transport."""
    if transport.get_extra_info("sslcontext") is not None:
        return _TLS
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


def write(transport: asyncio.WriteTransport, past: int, piece: Piece) -> None:
    """Write `piece` to a transport with the `descriptor` `past`."""
    if isinstance(piece, memoryview) and past != _TLS:
        # A variable, because mypyc evaluates the bounds of a slice twice.
        written = _written(transport, past, piece)
        if written == len(piece):
            return
        piece = bytes(piece[written:])
    transport.write(piece)


def room(transport: asyncio.WriteTransport, past: int, last: int) -> int:
    """Return how much to read at once for the next write, after one of `last` bytes: as much as
    the kernel has room for, from PIECE_SIZE to READ_SIZE."""
    if last < PIECE_SIZE or past < 0 or transport.is_closing() or sys.platform != "linux":
        return PIECE_SIZE
    try:
        told = transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size
        )
        _, _, taken, most, _, queued, _, _, _ = _MEMINFO.unpack(told)
    except (OSError, struct.error):
        return PIECE_SIZE
    # The first counts for TCP, the second for Unix sockets.
    used = max(int(queued), int(taken))
    return max(PIECE_SIZE, min(READ_SIZE, int(most) - used))


def _written(transport: asyncio.WriteTransport, past: int, piece: memoryview) -> int:
    """Write directly to the socket; return how much of `piece` the kernel took. Nothing may be
    left in the transport's buffer."""
    # The descriptor of a closing transport may already belong to another connection.
    if past < 0 or transport.is_closing() or transport.get_write_buffer_size():
        return 0
    try:
        return os.write(past, piece)
    except OSError:
        # There is no room, or the connection is gone, which the transport will notice.
        return 0
