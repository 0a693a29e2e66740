"""The program that sends a million exchanges past the inspector, with a few of them."""

from pathlib import Path

import pytest

from programs.inspector_memory import Asked, run


# It fails by itself if nothing moves any more; on a busy machine it may take its time.
@pytest.mark.timeout(600)
async def test_the_newest_exchanges_are_kept_within_the_budget(tmp_path: Path) -> None:
    assert await run(Asked(exchanges=300, content=10_000, readers=1), tmp_path) == []
