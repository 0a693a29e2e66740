"""The few inputs that reach what many reach: what is worth a replay in every test run."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import corsproxy

PACKAGE = str(Path(corsproxy.__file__).parent)
MOST_BYTES = 40_000
# Besides, so that what is written anew tomorrow meets more than today's lines asked for.
OTHERS = 100

Step = tuple[CodeType, int, int]
"""From one line of a function to the next that was run."""


def steps(run: Callable[[bytes], None], data: bytes) -> set[Step]:
    """Return the steps that the package makes with an input."""
    made: set[Step] = set()

    def watch(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        code, last = frame.f_code, 0

        def step(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal last
            if event == "line":
                made.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        run(data)
    finally:
        sys.settrace(before)
    return made


def smallest(run: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Return inputs that together make every step that all of them make, the shortest
    first, and some others; fewer steps where those would be more than MOST_BYTES."""
    kept, others, seen, size = list[bytes](), list[bytes](), set[Step](), 0
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        made = steps(run, data)
        if made <= seen or size + len(data) > MOST_BYTES:
            others.append(data)
            continue
        seen |= made
        size += len(data)
        kept.append(data)
    spread = others[:: 1 + len(others) // OTHERS]
    return [*kept, *(data for data in spread if len(data) <= MOST_BYTES // OTHERS)]
