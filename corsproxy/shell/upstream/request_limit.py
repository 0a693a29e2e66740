"""How many requests one upstream is asked at once; the others wait in line, briefly."""

import asyncio
from collections import deque

from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError, UpstreamFault


class RequestLimit:
    """Counts the requests in flight; first come, first served."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._limit = 0
        self._line: deque[asyncio.Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests stand in line."""
        return len(self._line)

    def enter(self, limits: Limits) -> bool:
        """Take a turn if one is free; every turn must be ended with `leave`."""
        self._limit = limits.in_flight
        if self.in_flight < self._limit and not self._line:
            self.in_flight += 1
            return True
        return False

    async def queue(self, limits: Limits) -> None:
        """Wait for a turn, where `enter` had none.

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
        """End a turn; it goes to whoever has waited longest."""
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
