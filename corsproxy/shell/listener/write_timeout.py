"""The bound on a client that does not read.

What counts is progress: a slow reader may take as long as it likes, one that takes
nothing at all for `limits.write_timeout` is dropped.
"""

import asyncio
import struct
import sys
from collections.abc import Callable
from typing import Final

from corsproxy.shell.streams.deadline import Deadline

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

_COUNT: Final = struct.Struct("i")


class WriteTimeout:
    """Watches that written bytes are sent."""

    __slots__ = ("_deadline", "_left", "_stalled", "_timeout", "_transport")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout: float, stalled: Callable[[], None]
    ) -> None:
        """`stalled` is called once nothing was sent for `timeout` seconds."""
        self._timeout = timeout
        self._stalled = stalled
        self._deadline = Deadline(loop, self._look)
        self._transport: asyncio.WriteTransport | None = None
        self._left = 0

    def start(self, transport: asyncio.WriteTransport) -> None:
        """Watch from now on, until `clear` or `stop`."""
        self._transport = transport
        self._left = unsent(transport)
        self._deadline.set(self._timeout)

    def clear(self) -> None:
        """Watch no more, until `start` is called again."""
        self._deadline.clear()

    def stop(self) -> None:
        """Watch never again."""
        self._transport = None
        self._deadline.stop()

    def has_progress(self) -> bool:
        """Whether something has left since `start`, or since the last time this was asked."""
        transport = self._transport
        before, self._left = self._left, 0 if transport is None else unsent(transport)
        return self._left < before

    def _look(self) -> None:
        if self._transport is None:
            return
        if self.has_progress():
            self._deadline.set(self._timeout)
        else:
            self._stalled()


def unsent(transport: asyncio.WriteTransport) -> int:
    """Return how many bytes the peer has not yet taken, as far as is known.

    The kernel's buffer counts: it accepts more only once much of it was sent, and until then
    a slow reader would look stalled.
    """
    left = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sys.platform == "linux" and sock is not None:
        try:
            told = ioctl(sock.fileno(), TIOCOUTQ, bytes(_COUNT.size))
        except (OSError, ValueError):
            # The socket is closed.
            return left
        left += int(_COUNT.unpack(told)[0])
    return left
