"""The event loop of the process."""

import asyncio

from corsproxy.cli.process import run


def test_it_runs_on_uvloop() -> None:
    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(main) == "uvloop"
