"""`python -m programs.soak --seconds 600`: a soak for a chosen time, and its summary."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from programs.soak.run import soak
from programs.soak.saboteur import KINDS

# Short runs are still warming up; growth beyond this is a leak.
_WARM_SECONDS = 120
_MOST_GROWTH_KIB = 4096


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--visitors", type=int, default=12, help="clients at a time")
    parser.add_argument("--workers", type=int, default=1, help="as in corsproxy --workers")
    parser.add_argument("--harm", choices=KINDS, default="", help="damage to be detected")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        running = soak(
            asked.seconds,
            Path(directory),
            visitors=asked.visitors,
            workers=asked.workers,
            harm=asked.harm,
        )
        report = asyncio.run(running)
    growth = 0 if report.usage is None else report.usage.growth_kib
    if asked.seconds >= _WARM_SECONDS and growth > _MOST_GROWTH_KIB:
        report.faults.append(f"memory has grown by {growth} KiB")
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
