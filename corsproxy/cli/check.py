"""`corsproxy check`: every problem of allowlist files, for people, programs and CI."""

import json
import sys

import click

from corsproxy.cli.failures import Exit, summary
from corsproxy.cli.files import default_file, read, read_bytes
from corsproxy.cli.options import option
from corsproxy.cli.terminal import wants_color
from corsproxy.config.problems import ConfigError, Problem, as_github, as_json, render


@click.command()
@click.argument("file", nargs=-1, type=click.Path())
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="json: a list of objects; github: annotations for pull requests.",
)
@option("--strict", is_flag=True, help="Let warnings fail the check too.")
@click.pass_context
def command(ctx: click.Context, file: tuple[str, ...], form: str, strict: bool) -> None:
    """Say everything that is wrong with allowlist files.

    FILE is ./corsproxy.yaml by default, and - is standard input. The exit code is 0 if
    the files can be served, 1 if not.
    """
    problems: list[Problem] = []
    for name in file or (default_file(),):
        found = _problems(name)
        problems += found
        if form == "text":
            _print(name, found)
    if form == "json":
        click.echo(json.dumps([as_json(problem) for problem in problems], indent=2))
    elif form == "github":
        for problem in problems:
            click.echo(as_github(problem))
    if any(strict or problem.severity == "error" for problem in problems):
        ctx.exit(Exit.FINDINGS)


def _problems(name: str) -> tuple[Problem, ...]:
    content = sys.stdin.buffer.read() if name == "-" else read_bytes(name)
    try:
        return read(content, "<stdin>" if name == "-" else name).warnings
    except ConfigError as error:
        return error.problems


def _print(name: str, problems: tuple[Problem, ...]) -> None:
    color = wants_color("stdout")
    for problem in problems:
        click.echo(f"{render(problem, color)}\n", color=True)
    click.echo(f"{name}: {summary(problems)}")
