"""The bound on a client that does not read.

What counts is progress: a slow reader may take as long as it likes, one that takes
nothing at all for `limits.write_timeout` is dropped.
"""

import asyncio
from collections.abc import Callable

from corsproxy.shell.streams.deadline import Deadline


class WriteWatch:
    """Watches that what has been written also leaves."""

    __slots__ = ("_deadline", "_left", "_stalled", "_timeout", "_transport")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout: float, stalled: Callable[[], None]
    ) -> None:
        """`stalled` is called once nothing has left for `timeout` seconds."""
        self._timeout = timeout
        self._stalled = stalled
        self._deadline = Deadline(loop, self._look)
        self._transport: asyncio.WriteTransport | None = None
        self._left = 0

    def start(self, transport: asyncio.WriteTransport) -> None:
        """Watch from now on, until `clear` or `stop`."""
        self._transport = transport
        self._left = transport.get_write_buffer_size()
        self._deadline.set(self._timeout)

    def clear(self) -> None:
        """Watch no more, until `start` is called again."""
        self._deadline.clear()

    def stop(self) -> None:
        """Watch never again."""
        self._transport = None
        self._deadline.stop()

    def _look(self) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() < self._left:
            self.start(self._transport)
        else:
            self._stalled()
