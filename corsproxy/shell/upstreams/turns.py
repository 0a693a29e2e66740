"""How many requests one upstream is asked at once; the others wait in line, briefly."""

import asyncio
from collections import deque

from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError, UpstreamFault


class Turns:
    """Counts the requests in flight; first come, first served."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._limit = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests stand in line."""
        return len(self._line)

    async def enter(self, limits: Limits) -> None:
        """Wait for a turn; every one that was had must be ended with `leave`.

        Raises UpstreamError BUSY after `limits.queue_timeout` seconds.
        """
        self._limit = limits.in_flight
        if self.in_flight < self._limit and not self._line:
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._admit()  # a reload may have raised the limit
        try:
            async with asyncio.timeout(limits.queue_timeout):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # it came at the same moment
            elif turn in self._line:
                self._line.remove(turn)
            if isinstance(error, TimeoutError):
                raise UpstreamError(
                    UpstreamFault.BUSY,
                    f"{self._limit} requests are in flight (limits.in_flight)"
                    f" and none ended within {limits.queue_timeout:g} s",
                ) from None
            raise

    def leave(self) -> None:
        """End a turn; it goes to whoever has waited longest."""
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._line and self.in_flight < self._limit:
            turn = self._line.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
