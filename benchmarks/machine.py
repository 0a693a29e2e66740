"""The machine: what it is, which cores the benchmark uses, and who else uses them."""

import os
import platform
import resource
from pathlib import Path
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Cores(NamedTuple):
    """Which core does what. Equal numbers share a core, which distorts everything."""

    peer: int
    load: int
    upstream: int

    @property
    def apart(self) -> bool:
        return len(set(self)) == 3


def choose_cores(asked: str | None) -> Cores:
    """Return the cores in `asked` ("3,2,1": peer, load, upstream), or the last ones.

    The first core is avoided if possible: it serves most interrupts. Where there are too few, load
    and upstream share one, and the peer has its own as long as it can. Raises ValueError if
    `asked` is not three cores that this process may use.
    """
    usable = sorted(os.sched_getaffinity(0), reverse=True)
    if asked is None:
        return Cores(*(usable[min(index, len(usable) - 1)] for index in range(3)))
    numbers = [int(part) for part in asked.split(",")]
    if len(numbers) != 3 or not set(numbers) <= set(usable):
        raise ValueError(f"--cores wants three of {sorted(usable)}, got {asked!r}")
    return Cores(*numbers)


def raise_descriptor_limit() -> int:
    """Raise the limit of open files for this process and its children; return the limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class CoreTime(NamedTuple):
    """Seconds of one core since the machine started."""

    programs: float
    interrupts: float
    """Hardware and soft interrupts. On loopback they are the network's work; they run on the
    sender's core, and are charged to no program."""
    stolen: float
    """Given to other guests by the hypervisor."""

    @property
    def busy(self) -> float:
        return self.programs + self.interrupts

    def since(self, before: "CoreTime") -> "CoreTime":
        """Return the time since `before`."""
        return CoreTime(*(now - then for now, then in zip(self, before, strict=True)))


def read_core_time(core: int) -> CoreTime:
    """Return the time that `core` has worked so far."""
    for line in Path("/proc/stat").read_text().splitlines():
        label, *ticks = line.split()
        if label == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = (
                int(value) / TICKS_PER_SECOND for value in ticks[:8]
            )
            return CoreTime(user + nice + system, irq + softirq, steal)
    raise LookupError(f"/proc/stat has no cpu{core}")


def describe(cores: Cores) -> dict[str, str]:
    """Return the facts needed to judge or repeat the numbers."""
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()} (peer on {cores.peer}, load on {cores.load}, "
        f"upstream on {cores.upstream})",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "virtualised": "yes" if "hypervisor" in Path("/proc/cpuinfo").read_text() else "no",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load average before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
