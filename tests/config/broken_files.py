"""Hundreds of broken files, each with the places and codes of all its problems.

Each file under `broken/` holds one family of cases:

    === name of the case
    the text of the file
    (a line with only a backslash: the text has no line break at its end)
    --- line:column code          one for each problem, in file order
    +++                           the problems' own fixes, applied, pass
    +++ line text of the line     this line in place of the old one passes
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from corsproxy.config.problems import ConfigError, Problem, fixed_line
from corsproxy.config.reader import read_policy

ENVIRON = {"TOKEN": "t", "EMPTY": "", "LINES": "a\nb", "HOME": "/srv"}

_PROBLEM = re.compile(r"--- (\d+):(\d+) (\S+)")
_FIX = re.compile(r"\+\+\+(?: (\d+) (.*))?")


class Case(NamedTuple):
    text: str
    expected: list[tuple[int, int, str]]
    fixed: str | None
    """The text that must pass; None where the case has no fix."""


def read_cases(path: Path) -> Iterator[tuple[str, Case]]:
    for block in re.split(r"(?m)^=== ", path.read_text(encoding="utf-8"))[1:]:
        name, _, rest = block.partition("\n")
        lines = rest.split("\n")
        expected: list[tuple[int, int, str]] = []
        body: list[str] = []
        fix: re.Match[str] | None = None
        for line in lines[:-1]:
            if found := _PROBLEM.fullmatch(line):
                expected.append((int(found[1]), int(found[2]), found[3]))
            elif found := _FIX.fullmatch(line):
                fix = found
            else:
                body.append(line)
        text = "\n".join(body) + "\n"
        text = text.removesuffix("\n\\\n")
        yield name, Case(text, expected, None if fix is None else _fixed(text, fix))


def _fixed(text: str, fix: re.Match[str]) -> str:
    lines = text.split("\n")
    if fix[1]:
        lines[int(fix[1]) - 1] = fix[2]
        return "\n".join(lines)
    # From the right, so that what stands before a fix stays where it was.
    for problem in sorted(problems_of(text), key=lambda each: each.source[1:], reverse=True):
        number = problem.source.line
        fixed = fixed_line(problem._replace(line_text=lines[number - 1]))
        if fixed is not None:
            lines[number - 1] = fixed
    return "\n".join(lines)


def problems_of(text: str) -> tuple[Problem, ...]:
    try:
        return read_policy(
            text, "corsproxy.yaml", ENVIRON, "/etc/corsproxy", day="2026-11-29"
        ).warnings
    except ConfigError as error:
        return error.problems


BROKEN = {
    f"{path.stem}-{name}": case
    for path in sorted((Path(__file__).parent / "broken").glob("*.txt"))
    for name, case in read_cases(path)
}
CASES = [pytest.param(case, id=name) for name, case in BROKEN.items()]
FIXED = {name: case for name, case in BROKEN.items() if case.fixed is not None}

each_case = pytest.mark.parametrize("case", CASES)
