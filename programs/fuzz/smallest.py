"""Reduces many inputs to a few with the same coverage, to be replayed in every test run."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import corsproxy

PACKAGE = str(Path(corsproxy.__file__).parent)
MOST_BYTES = 40_000
# Additional inputs, so that future code is covered better than by today's minimum.
OTHERS = 100

Step = tuple[CodeType, int, int]
"""From one line of a function to the next one executed."""


def steps(run: Callable[[bytes], None], data: bytes) -> set[Step]:
    """Return the steps that the package executes with an input."""
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
    """Return inputs that together execute every step that all of them do, shortest first, and
    some others; fewer steps if they would exceed MOST_BYTES."""
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
