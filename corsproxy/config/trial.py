"""Fixes of a text that is not YAML are tried before they are proposed.

Who explains a parser's error knows nothing of the keys: a value in quotes may be YAML, and still
be refused by the reader of its key.
"""

from collections.abc import Callable, Iterable

from corsproxy.config.problems import Problem, fixed_line

_LONGEST_TEXT = 100_000
_STEPS = 3


def tried(problem: Problem, lines: list[str], read: Callable[[str], Iterable[Problem]]) -> Problem:
    """Return the problem of a file's `lines` with a fix that causes no error at its place: its
    own, or one that has the following fixes in it, or none. `read` returns a text's problems."""
    if sum(map(len, lines)) > _LONGEST_TEXT:
        return problem
    number = problem.source.line - 1
    for _ in range(_STEPS):
        fixed = fixed_line(problem)
        if fixed is None:
            return problem
        following = read("\n".join([*lines[:number], fixed, *lines[number + 1 :]]))
        found = next((each for each in following if is_at_fix(each, problem)), None)
        if found is None:
            return problem
        problem = _with_fix_of(problem, found)
    return problem._replace(fix=None)


def is_at_fix(following: Problem, fixed: Problem) -> bool:
    """Whether a problem of the file with a fix in it is an error at the fix."""
    start, end = fixed.source.column, fixed.source.column + len(fixed.fix or "")
    return (
        following.severity == "error"
        and following.source.line == fixed.source.line
        and start <= following.source.column <= end
    )


def _with_fix_of(problem: Problem, following: Problem) -> Problem:
    """Return the problem with what resolves it and the following one."""
    start = problem.source.column - 1
    before, after = problem.line_text[:start], problem.line_text[start + problem.length :]
    line = fixed_line(following)
    fix = None
    if line is not None and line.startswith(before) and line.endswith(after):
        fix = line[len(before) : len(line) - len(after)]
    return problem._replace(fix=fix, help=following.help or problem.help)
