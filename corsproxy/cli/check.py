"""`corsproxy check`: every problem in allowlist files, for people, programs and CI."""

from collections.abc import Iterator

import click
from click.core import ParameterSource

from corsproxy.cli.failures import Exit, each_of, print_problems, raise_all, summary
from corsproxy.cli.files import default_file, editable, read_source, read_to_serve, rewrite
from corsproxy.cli.options import config_option, format_option, option
from corsproxy.cli.terminal import Stream, print_json
from corsproxy.config.contradictions import EXPIRED
from corsproxy.config.dates import day_after
from corsproxy.config.problems import ConfigError, Problem, as_github, as_json
from corsproxy.config.spelling import as_value
from corsproxy.core.origins import OriginPattern
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.shell.feed.clock import utc_day

_DAYS = 30
"""How many days from now the last day is that is proposed."""

_WITHOUT_FILE = "name the file (corsproxy check FILE), or write one (corsproxy init)"


@click.command()
@click.argument("file", nargs=-1, type=click.Path())
@config_option
@format_option(
    "text", "json", "github", help="json: a list of objects; github: annotations for pull requests."
)
@option("--strict", is_flag=True, help="Fail on warnings, too.")
@option(
    "--require-until",
    is_flag=True,
    help="Fail on entries of allow_origins without a last day, except loopback.",
)
@option("--fix", is_flag=True, help="Correct unambiguous mistakes, and print the diff.")
@click.pass_context
def command(
    ctx: click.Context,
    file: tuple[str, ...],
    config: str | None,
    form: str,
    strict: bool,
    require_until: bool,
    fix: bool,
) -> None:
    """Report every problem in allowlist files.

    FILE is ./corsproxy.yaml by default; - is standard input. The exit code is 0 if the files
    can be served, 1 if not, or if the last day of an entry is over.

    With --fix, asterisks that lack nothing but quotes get them, origins are written as browsers
    send them, keys as the schema spells them, and duplicate entries are removed. Everything else
    is only reported, such as a missing scheme.
    """
    if config and ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        file = (*file, config)

    def report(name: str) -> tuple[Problem, ...]:
        found = _corrected(name, form, require_until) if fix else _problems(name, require_until)
        if form == "text":
            _print(name, found)
        return found

    found, failures = each_of(file or (default_file(_WITHOUT_FILE),), report)
    problems = [problem for each in found for problem in each]
    if form == "json":
        print_json([as_json(problem) for problem in problems])
    elif form == "github":
        for problem in problems:
            click.echo(as_github(problem))
    raise_all(failures)
    if any(strict or problem.severity == "error" for problem in problems):
        ctx.exit(Exit.FINDINGS)


def _problems(name: str, require_until: bool) -> tuple[Problem, ...]:
    return _problems_in(*read_source(name), require_until)


def _problems_in(content: bytes, name: str, require_until: bool) -> tuple[Problem, ...]:
    try:
        reading = read_to_serve(content, name)
    except ConfigError as error:
        return tuple(map(_as_checked, error.problems))
    undated = _undated(reading.policy, content) if require_until else ()
    found = [*map(_as_checked, reading.warnings), *undated]
    return tuple(sorted(found, key=lambda problem: problem.source[1:]))


def _as_checked(problem: Problem) -> Problem:
    """Make an expired entry an error: it can be served, but should be cleaned up."""
    return problem._replace(severity="error") if problem.code == EXPIRED else problem


def _undated(policy: Policy, content: bytes) -> Iterator[Problem]:
    """Yield the entries beyond loopback that never expire, each once."""
    lines = content.decode("utf-8", "replace").splitlines()
    rules = [route.cors for route in policy.routes if isinstance(route.cors, CorsRules)]
    # By identity: hashing a long list once per route takes seconds.
    lists = {id(each.origins): each.origins for each in (policy.default_cors, *rules)}
    for pattern in (entry for origins in lists.values() for entry in origins):
        if pattern.until is None and not pattern.is_loopback:
            at = pattern.source
            yield Problem(
                "error",
                "until-missing",
                f"`{pattern}` has no `until`",
                at,
                len(pattern.text),
                f"write `{_with_last_day(pattern)}`, with the last day on which it is needed",
                lines[at.line - 1] if 0 < at.line <= len(lines) else "",
            )


def _with_last_day(pattern: OriginPattern) -> str:
    """Return the entry as it might be written; its reason stays."""
    pairs = {"origin": as_value(pattern.text), "until": day_after(utc_day(), _DAYS)}
    pairs["reason"] = as_value(pattern.reason) if pattern.reason else "…"
    return "{" + ", ".join(f"{key}: {text}" for key, text in pairs.items()) + "}"


def _corrected(name: str, form: str, require_until: bool) -> tuple[Problem, ...]:
    """Correct a file, and return the remaining problems."""
    if name == "-":
        raise click.UsageError("--fix cannot write to standard input: name a file instead of -.")
    # Imported here: reading a file does not need the editor.
    from corsproxy.cli.diffs import print_diff
    from corsproxy.config.editing.fixes import correct

    file = editable(name)
    correction = correct(file)
    if correction.fixed:
        # Programs read only the problems from stdout.
        stream: Stream = "stdout" if form == "text" else "stderr"
        print_diff(name, correction.before, correction.after, stream)
        rewrite(file, correction.after)
    return _problems_in(correction.after, name, require_until)


def _print(name: str, problems: tuple[Problem, ...]) -> None:
    print_problems(problems, "stdout")
    click.echo(f"{name}: {summary(problems)}")
