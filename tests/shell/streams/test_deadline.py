"""shell/streams/deadline.py: a bound that moves."""

import asyncio

from corsproxy.shell.streams.deadline import Deadline


class Alarm:
    """A deadline that remembers when it expired."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.start = self._loop.time()
        self.times: list[float] = []
        self.rang = asyncio.Event()
        self.deadline = Deadline(self._loop, self._ring)

    def _ring(self) -> None:
        self.times.append(self._loop.time() - self.start)
        self.rang.set()

    async def rings(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await self.rang.wait()
        except TimeoutError:
            return False
        return True


async def test_it_expires_once() -> None:
    alarm = Alarm()
    alarm.deadline.set(0.02)
    assert await alarm.rings(within=1)
    assert alarm.times[0] >= 0.019
    alarm.rang.clear()
    assert not await alarm.rings(within=0.05)


async def test_a_later_bound_replaces_an_earlier_one() -> None:
    alarm = Alarm()
    alarm.deadline.set(0.01)
    alarm.deadline.set(0.08)
    assert await alarm.rings(within=1)
    assert alarm.times[0] >= 0.079


async def test_an_earlier_bound_replaces_a_later_one() -> None:
    alarm = Alarm()
    alarm.deadline.set(60)
    alarm.deadline.set(0.01)
    assert await alarm.rings(within=1)


async def test_no_bound_never_expires() -> None:
    for end in (Deadline.clear, Deadline.stop, lambda deadline: deadline.set(None)):
        alarm = Alarm()
        alarm.deadline.set(0.01)
        end(alarm.deadline)
        assert not await alarm.rings(within=0.05)
        alarm.deadline.set(0.01)
        assert await alarm.rings(within=1)
