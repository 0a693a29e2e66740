"""A list of ten thousand origins: every command answers in the time it takes to read it."""

import gc
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from corsproxy.cli.main import cli
from tests.process import finished

HEAD = "upstream: https://api.example.com\ncors:\n  allow_origins:"
ORIGINS = "".join(f"    - https://app-{number}.example.com\n" for number in range(10_000))
FILE = f"{HEAD}\n{ORIGINS}"
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
        ("diff", "short.yaml", "corsproxy.yaml"),
        ("export", "nginx"),
        ("export", "haproxy"),
        ("export", "envoy"),
    ],
    ids=" ".join,
)
async def test_each_entry_costs_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    (tmp_path / "short.yaml").write_text(f"{HEAD} []\n")
    before = spent()
    code, out, err = await finished(*arguments, cwd=tmp_path)
    assert code in (0, 1), err
    assert "Traceback" not in out + err
    assert spent() - before < CPU_SECONDS


# What does not depend on the machine nor on its load: how many calls of functions an entry costs.

LISTS: dict[str, Callable[[int], str]] = {
    "plain": lambda number: f"\n    - https://app-{number}.example.com",
    "quoted": lambda number: f'\n    - "https://app-{number}.example.com" # {number}',
    "subdomains": lambda number: f'\n    - "https://*.app-{number}.example.com"',
    "ports": lambda number: f'\n    - "http://app-{number}.localhost:*"',
    "labels": lambda number: f'\n    - "https://pr-{number}-*.example.com"',
    "terms": lambda number: f"\n    - {{origin: https://app-{number}.test, until: 2099-12-31}}",
}
COMMANDS = {
    "check": ("check",),
    "allow": ("allow", "origin", "https://new.example.com", "--dry-run", "-c"),
    "explain": ("explain", "--origin", "https://new.example.com", "/", "-c"),
    "diff": ("diff", "short.yaml"),
    "learn": ("learn", "--unused", "log.json", "-c"),
}
# A third more than the calls that Python 3.11 makes.
BUDGETS = {
    "plain": {"check": 51, "allow": 123, "explain": 144, "diff": 125, "learn": 95},
    "quoted": {"check": 51, "allow": 123, "explain": 144, "diff": 125, "learn": 95},
    "subdomains": {"check": 92, "allow": 208, "explain": 208, "diff": 207, "learn": 136},
    "ports": {"check": 80, "allow": 181, "explain": 181, "diff": 180, "learn": 124},
    "labels": {"check": 100, "allow": 227, "explain": 264, "diff": 223, "learn": 144},
    "terms": {"check": 241, "allow": 509, "explain": 579, "diff": 316, "learn": 285},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.yaml").write_text(f"{HEAD} []\n")
    (tmp_path / "log.json").write_text("")
    yield tmp_path
    gc.enable()


def test_a_list_that_routes_share_is_gone_through_once(files: Path) -> None:
    """What another route costs does not depend on how long the list is."""
    command = COMMANDS["allow"]
    file = files / "corsproxy.yaml"
    costs = []
    for length in (100, 400):  # shorter lists are read another way
        entries = "".join(map(LISTS["plain"], range(length)))
        calls(command, file, entries + shared(40))
        few, many = (calls(command, file, entries + shared(count)) for count in (20, 40))
        costs.append((many - few) / 20)
    assert costs[1] < costs[0] + 40


def shared(count: int) -> str:
    """Return routes that take the list over, each with rules of its own."""
    route = "\n  - {{path: /r{0}, upstream: 'http://r{0}.test', cors: {{max_age: {0}}}}}"
    return "\nroutes:" + "".join(route.format(number) for number in range(count))


def calls(command: tuple[str, ...], file: Path, entries: str) -> int:
    """Return how many functions the command calls for a file with these entries."""
    file.write_text(f"{HEAD}{entries}\n")
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        cli([*command, file.name], prog_name="corsproxy", standalone_mode=False)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_the_work_for_an_entry_has_a_budget(files: Path, name: str, kind: str) -> None:
    command = COMMANDS[name]
    few, more = ("".join(map(LISTS[kind], range(1000, end))) for end in (1100, 1200))
    calls(command, files / "corsproxy.yaml", few)  # which imports what it needs
    found = [calls(command, files / "corsproxy.yaml", each) for each in (few, more)]
    assert (found[1] - found[0]) / 100 <= BUDGETS[kind][name]
