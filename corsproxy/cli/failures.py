"""How a command ends if it cannot do what was asked: one sentence and an exit code."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, Any, TypeVar

import click

from corsproxy.cli.terminal import Stream, wants_color
from corsproxy.config.problems import ConfigError, Problem, as_github, escape, render
from corsproxy.errors import StartError
from corsproxy.shell.feed.layout import fitted, known_width

Result = TypeVar("Result")


class Exit(IntEnum):
    """The exit codes; part of the interface."""

    OK = 0
    FINDINGS = 1
    """`check` found problems, `explain` says refused, `health` says not ready."""
    USAGE = 2
    NOT_STARTED = 3
    """A port is taken, a TLS file is missing."""
    REFUSED_CONFIG = 78
    """EX_CONFIG of sysexits.h: starting again will not help."""
    CLOSED_PIPE = 141
    """What reads the output has ended, as `head` does: the code of a program that SIGPIPE ends."""


class Failure(click.ClickException):
    """Ends with a sentence on stderr; `help` says what to do."""

    def __init__(self, message: str, exit_code: Exit, help: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click reads it from the instance
        self.help = help

    def show(self, file: IO[Any] | None = None) -> None:
        width = known_width("stderr")
        click.echo(fitted(f"corsproxy: {escape(self.message)}", width), file=file, err=True)
        if self.help:
            click.echo(fitted(f"  {escape(self.help)}", width), file=file, err=True)


class RefusedConfig(click.ClickException):
    """A file that is refused: every problem with its caret. Commands that only inspect the file
    exit with a finding; `serve` exits with REFUSED_CONFIG."""

    def __init__(
        self, file: str, problems: Iterable[Problem], exit_code: Exit = Exit.FINDINGS
    ) -> None:
        self.problems = tuple(problems)
        self.exit_code = exit_code  # type: ignore[misc] # click reads it from the instance
        super().__init__(f"{file} is refused: {summary(self.problems)}")

    def show(self, file: IO[Any] | None = None) -> None:
        print_problems(self.problems, "stderr", file)
        click.echo(f"corsproxy: {escape(self.message)}", file=file, err=True)


def print_problems(
    problems: Iterable[Problem], stream: Stream, file: IO[Any] | None = None
) -> None:
    """Print problems with their carets to a stream, or to `file` in its place."""
    color = wants_color(stream)
    for problem in problems:
        text = render(problem, color, known_width(stream))
        click.echo(f"{text}\n", file=file, err=stream == "stderr", color=True)


class Failures(click.ClickException):
    """Several failures, such as files that cannot be read: all are shown. The highest exit code
    counts."""

    def __init__(self, failures: Iterable[click.ClickException]) -> None:
        self._all = tuple(failures)
        super().__init__("; ".join(each.message for each in self._all))
        self.exit_code = max(each.exit_code for each in self._all)  # type: ignore[misc] # as above

    def show(self, file: IO[Any] | None = None) -> None:
        for each in self._all:
            each.show(file)


@contextmanager
def refusing(file: str, exit_code: Exit = Exit.FINDINGS) -> Iterator[None]:
    """Make a ConfigError the end of the command: `file` is refused."""
    try:
        yield
    except ConfigError as error:
        raise RefusedConfig(file, error.problems, exit_code) from None


@contextmanager
def starting() -> Iterator[None]:
    """Make a StartError the end of the command."""
    try:
        yield
    except StartError as error:
        raise Failure(str(error), Exit.NOT_STARTED) from None


def reason_of(error: Exception) -> str:
    """Return what the system says of a failure, its first letter in lower case."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{reason[:1].lower()}{reason[1:]}"


@contextmanager
def telling(done: str) -> Iterator[None]:
    """Raise a Failure that says what was `done`, such as "x was written", if printing in the
    `with` block fails. A closed pipe stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{done}, but standard output cannot be: {reason_of(error)}"
        raise Failure(message, Exit.NOT_STARTED) from None


Failed = list[click.ClickException]


def each_of(names: Iterable[str], read: Callable[[str], Result]) -> tuple[list[Result], Failed]:
    """Return `read(name)` for each name, and the failures: one does not hide another."""
    found, failures = list[Result](), Failed()
    for name in names:
        try:
            found.append(read(name))
        except click.ClickException as error:
            failures.append(error)
    return found, failures


def raise_all(failures: Failed, form: str = "text") -> None:
    """Raise the failures at once, if there are any. In the form `github`, the problems of refused
    files are printed as annotations instead of being shown."""
    if form == "github":
        failures = [*map(_annotated, failures)]
    if failures:
        raise failures[0] if len(failures) == 1 else Failures(failures)


def _annotated(failure: click.ClickException) -> click.ClickException:
    if not isinstance(failure, RefusedConfig):
        return failure
    for problem in failure.problems:
        click.echo(as_github(problem))
    return Failure(failure.message, Exit(failure.exit_code))


def exit_of_start(problems: Iterable[Problem]) -> Exit:
    """Return the exit code of a start that a refused file ends. Files that another program
    writes, such as certificates, may be there the next time."""
    wrong = {problem.code for problem in problems if problem.severity == "error"}
    return Exit.NOT_STARTED if wrong == {"tls-file"} else Exit.REFUSED_CONFIG


def summary(problems: Iterable[Problem]) -> str:
    """Return "2 errors and 1 warning", or "no problems"."""
    found = list(problems)
    counts = []
    for severity in ("error", "warning"):
        count = sum(problem.severity == severity for problem in found)
        if count:
            counts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    return " and ".join(counts) or "no problems"
