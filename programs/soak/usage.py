"""The memory and descriptors of a command's processes, over time."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

_PERIOD_SECONDS = 0.25
_HOUR = 3600.0


class Sample(NamedTuple):
    """The sums over a process and its children."""

    at: float
    resident_kib: int
    descriptors: int


class Usage:
    """Samples of a process and its children, taken until the watching task is cancelled."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.samples = [self.sample()]

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            self.samples.append(self.sample())

    def sample(self) -> Sample:
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        pids = [self._pid, *map(int, children)]
        return Sample(time.monotonic(), sum(map(_resident, pids)), sum(map(_descriptors, pids)))

    @property
    def growth_kib(self) -> int:
        """How much more the last quarter holds than the second one, when all was warm."""
        quarter = max(len(self.samples) // 4, 1)
        early, late = self.samples[quarter : 2 * quarter + 1], self.samples[-quarter:]
        return round(
            median(each.resident_kib for each in late)
            - median(each.resident_kib for each in early or late)
        )

    @property
    def slope_kib_per_hour(self) -> float:
        """The slope of the line through the samples of the last three quarters."""
        samples = self.samples[len(self.samples) // 4 :]
        middle = sum(each.at for each in samples) / len(samples)
        mean = sum(each.resident_kib for each in samples) / len(samples)
        spread = sum((each.at - middle) ** 2 for each in samples)
        product = sum((each.at - middle) * (each.resident_kib - mean) for each in samples)
        return product / spread * _HOUR if spread else 0.0


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
