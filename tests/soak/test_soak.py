"""A short soak: every byte and field line checked, while everything around the proxy changes."""

from pathlib import Path

import pytest

from programs.soak.run import soak
from programs.soak.visitor import KINDS, Outcome

SECONDS = 9.0


@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_is_lost_wrong_or_kept(tmp_path: Path, workers: int) -> None:
    report = await soak(SECONDS, tmp_path, workers=workers)
    assert not report.faults, "\n".join(report.lines())
    often = [kind for kind, parts in KINDS.items() if parts > 5]
    assert all(report.counts[kind, Outcome.RIGHT] for kind in often), report.lines()
    assert report.events["reloaded"]
