"""A few exchanges past the inspector: the program that sends a million of them works."""

from pathlib import Path

from programs.inspector_memory import Asked, run


async def test_the_newest_exchanges_are_kept_within_the_budget(tmp_path: Path) -> None:
    assert await run(Asked(exchanges=300, content=10_000, readers=1), tmp_path) == []
