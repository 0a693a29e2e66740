"""A list of ten thousand origins: every command answers in the time it takes to read it."""

import resource
from pathlib import Path

import pytest

from tests.process import finished

ORIGINS = "".join(f"    - https://app-{number}.example.com\n" for number in range(10_000))
FILE = f"upstream: https://api.example.com\ncors:\n  allow_origins:\n{ORIGINS}"
# Half a second on a quiet machine; what compares each entry with each needs half a minute.
CPU_SECONDS = 4.0


def spent() -> float:
    """The processor time of the commands that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    "arguments",
    [
        ("allow", "origin", "https://new.example.com", "--dry-run"),
        ("explain", "--origin", "https://new.example.com", "/"),
        ("diff", "corsproxy.yaml", "corsproxy.yaml"),
        ("export", "nginx"),
        ("export", "haproxy"),
        ("export", "envoy"),
    ],
    ids=" ".join,
)
async def test_each_entry_costs_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    before = spent()
    code, out, err = await finished(*arguments, cwd=tmp_path)
    assert code in (0, 1), err
    assert "Traceback" not in out + err
    assert spent() - before < CPU_SECONDS
