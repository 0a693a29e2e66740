"""The corpus: one file per target, one input per line, as a Python bytes literal."""

from ast import literal_eval
from collections.abc import Iterable
from pathlib import Path

DIRECTORY = Path(__file__).parent / "corpus"


def load(target: str) -> list[bytes]:
    path = DIRECTORY / f"{target}.txt"
    if not path.exists():
        return []
    found = [literal_eval(f"b{line}") for line in path.read_text(encoding="ascii").splitlines()]
    return [each for each in found if isinstance(each, bytes)]


def save(target: str, inputs: Iterable[bytes]) -> None:
    """Write the inputs without duplicates, shortest first."""
    DIRECTORY.mkdir(exist_ok=True)
    kept = sorted(set(inputs), key=lambda each: (len(each), each))
    lines = "".join(f"{each!r}"[1:] + "\n" for each in kept)
    (DIRECTORY / f"{target}.txt").write_text(lines, encoding="ascii")
