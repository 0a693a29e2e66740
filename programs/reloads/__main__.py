"""`python -m programs.reloads --reloads 1000`: many reloads under load, and their summary."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from programs.reloads.run import reload_often

_CALM_SECONDS = 20.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="reloads", description=__doc__)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--routes", type=int, default=500, help="how many the file has")
    parser.add_argument("--workers", type=int, default=1, help="as in corsproxy --workers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        running = reload_often(
            asked.reloads,
            asked.routes,
            Path(directory),
            calm_seconds=_CALM_SECONDS,
            workers=asked.workers,
        )
        report = asyncio.run(running)
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
