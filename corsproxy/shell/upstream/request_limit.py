"""A limit on the requests in flight to one upstream; others wait in a queue, for a limited time
and with limited memory."""

import asyncio
from collections import deque
from typing import Final

from corsproxy.core.messages import Fields
from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError, UpstreamFault

# Some 4,000 heads of browsers; the process uses a multiple of what is counted.
_MOST_WAITING: Final = 12 * 1024 * 1024
# The overhead of a field.
_FIELD_OVERHEAD: Final = 160


class WaitingRoom:
    """The memory of the heads of all requests that cannot be sent yet: they wait for their turn, or
    for a connection."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._left = most

    def enter(self, fields: Fields) -> int:
        """Reserve room for a head; returns its size, for `leave`. Raises UpstreamError BUSY if
        there is not enough."""
        size = sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in fields)
        if size > self._left:
            raise UpstreamError(
                UpstreamFault.BUSY,
                "the requests waiting for their upstreams have reached their memory limit",
            )
        self._left -= size
        return size

    def leave(self, size: int) -> None:
        """Release the room of a head."""
        self._left += size


class RequestLimit:
    """Counts the requests in flight; first come, first served."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._limit = 0
        self._line: deque[asyncio.Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._line)

    def enter(self, limits: Limits) -> bool:
        """Take a turn if one is free; every turn must be ended with `leave`."""
        self._limit = limits.in_flight
        if self.in_flight < self._limit and not self._line:
            self.in_flight += 1
            return True
        return False

    async def queue(self, limits: Limits) -> None:
        """Wait for a turn, after `enter` had none.

        Raises UpstreamError BUSY after `limits.queue_timeout` seconds.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        self._admit()  # a reload may have raised the limit
        expiry = loop.call_later(limits.queue_timeout, _settle, turn, False)
        try:
            is_ours = await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()  # it came at the same moment
            raise
        finally:
            expiry.cancel()
            if turn in self._line:
                self._line.remove(turn)
        if not is_ours:
            raise UpstreamError(
                UpstreamFault.BUSY,
                f"{self._limit} requests are in flight (limits.in_flight)"
                f" and none ended within {limits.queue_timeout:g} s",
            )

    def leave(self) -> None:
        """End a turn; the longest-waiting request gets it."""
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._line and self.in_flight < self._limit:
            turn = self._line.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(True)


def _settle(turn: asyncio.Future[bool], is_had: bool) -> None:
    if not turn.done():
        turn.set_result(is_had)
