"""How much of the example comes out the same: `python -m tests.export.measure nginx`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.export.comparison import compared, differences, is_wider, verdict
from tests.export.examples import EXAMPLE, PROBES


def example(port: int, upstream_port: int, dead: int) -> str:
    return EXAMPLE.format(port=port, upstream=upstream_port, dead=dead)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def main(engine: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = await compared(engine, example, PROBES, Path(directory))
    verdicts = equal = 0
    for probe, got, own, port in found.answers:
        unlike = differences(probe, got, own, port)
        verdicts += "verdict" not in unlike
        equal += not unlike
        wider = is_wider(verdict(probe, got, port), verdict(probe, own, port))
        if unlike:
            label = "WIDER" if wider else "     "
            _say(f"{label} {probe} {probe.kind}\n          {'; '.join(unlike)}")
    total = len(found.answers)
    _say(f"{engine}: verdict {verdicts}/{total}, everything {equal}/{total} {equal / total:.0%}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        asyncio.run(main(name))
