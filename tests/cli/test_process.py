"""The event loop of the process, and its end."""

import subprocess
import sys

from tests.process import environment

PROGRAM = """
import asyncio, sys, threading
from corsproxy.cli.process import leave, run
async def main():
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, threading.Event().wait)
    return type(loop).__module__
print(run(main))
leave(5)
"""


def test_it_ends_at_once_whatever_its_threads_do() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        env=environment(),
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (5, b"")
    assert ran.stdout == b"uvloop\n"
