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

from corsproxy.config.problems import ConfigError, Problem, fixed_line, render
from corsproxy.config.reader import read_policy

ENVIRON = {"TOKEN": "t", "EMPTY": "", "LINES": "a\nb", "HOME": "/home/me"}

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
        return read_policy(text, "corsproxy.yaml", ENVIRON, "/etc/corsproxy").warnings
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


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 500


@each_case
def test_each_problem_is_found_where_it_is(case: Case) -> None:
    found = problems_of(case.text)
    places = [(problem.source.line, problem.source.column, problem.code) for problem in found]
    assert places == case.expected, "\n\n".join(map(render, found))


@each_case
def test_each_problem_underlines_text_of_its_line(case: Case) -> None:
    lines = re.split(r"\r\n|\n|\r", case.text)
    for problem in problems_of(case.text):
        assert problem.line_text == lines[problem.source.line - 1]
        assert problem.source.column + problem.length <= len(problem.line_text) + 2
        assert problem.message
        assert not problem.message.endswith(".")


@pytest.mark.parametrize("case", FIXED.values(), ids=FIXED)
def test_the_fix_passes(case: Case) -> None:
    assert case.fixed is not None
    assert problems_of(case.fixed) == ()


@each_case
def test_what_a_problem_suggests_is_rid_of_that_problem(case: Case) -> None:
    for problem in problems_of(case.text):
        fixed = fixed_line(problem)
        if fixed is None:
            continue
        lines = case.text.split("\n")
        lines[problem.source.line - 1] = fixed
        left = problems_of("\n".join(lines))
        same = (problem.code, problem.source, problem.message)
        assert same not in {(each.code, each.source, each.message) for each in left}
