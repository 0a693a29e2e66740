"""Memory is returned after a crowd of clients has left."""

import platform
import subprocess
import sys

from corsproxy.shell.system.memory import CrowdWatch
from tests.peers import settled, until

# Blocks of the C library's, one in use behind those that are freed.
SHRINKING = """
from pathlib import Path
from resource import getpagesize
from corsproxy.shell.system.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() // 1024

blocks = [bytes(2000) for _ in range(30_000)]
last = bytes(2000)
del blocks
before = resident()
print(give_back(), before - resident())
"""


class Clients:
    """How many there are, as a test says it; notes when memory is given back."""

    def __init__(self) -> None:
        self.now = 0
        self.looks = 0
        self.given: list[int] = []

    def __call__(self) -> int:
        self.looks += 1
        return self.now

    def give(self) -> None:
        self.given.append(self.now)

    async def become(self, number: int) -> None:
        """Change, and wait until that has been seen."""
        self.now = number
        seen = self.looks
        await until(lambda: self.looks > seen + 1)


async def test_memory_is_given_back_once_when_most_of_a_crowd_have_gone() -> None:
    clients = Clients()
    watch = CrowdWatch(clients, clients.give)
    watch.start(every=0.001)
    for number in (5, 4000, 401, 3000, 400, 39, 0, 900, 0, 1000, 0):
        await clients.become(number)
    watch.stop()
    assert clients.given == [400, 0]


async def test_it_stops_checking_after_stop() -> None:
    clients = Clients()
    watch = CrowdWatch(clients, clients.give)
    watch.start(every=0.001)
    await clients.become(2000)
    watch.stop()
    clients.now = 0
    seen = clients.looks
    assert await settled(lambda: clients.looks) == seen
    assert clients.given == []


def test_the_process_shrinks_where_the_c_library_can() -> None:
    done = subprocess.run([sys.executable, "-c", SHRINKING], capture_output=True, text=True)
    could, kib = done.stdout.split()
    assert could == str(platform.libc_ver()[0] == "glibc"), done.stderr
    assert int(kib) > 30_000 * (could == "True")
