"""`corsproxy explain`: the decision that the server would take, in words."""

import json
import os

import click

from corsproxy.cli.diffs import print_diff
from corsproxy.cli.failures import Exit, RefusedConfig
from corsproxy.cli.files import default_file, read_bytes
from corsproxy.cli.options import config_option, one_of, option
from corsproxy.cli.terminal import wants_color
from corsproxy.cli.upstream import policy_for
from corsproxy.config.editing.diffs import diff
from corsproxy.config.editing.edits import Edit, File, allow
from corsproxy.config.editing.splices import EditError
from corsproxy.config.problems import ConfigError, escape
from corsproxy.core.explain import Explanation, Question, explain
from corsproxy.core.policy import Policy
from corsproxy.shell.log.ansi import Style, paint

_MARKS = {"✓": Style.GREEN, "✗": Style.RED, "allowed:": Style.GREEN, "refused:": Style.RED}


@click.command()
@config_option
@option("--origin", required=True, metavar="ORIGIN", help="The origin of the page that calls.")
@option("--method", default="GET", show_default=True, metavar="METHOD", help="As in fetch().")
@option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME",
    help="A request header that the script sets; may be repeated.",
)
@option("--credentials", is_flag=True, help='The call says credentials: "include".')
@option("--json", "as_json", is_flag=True, help="Print an object instead of words.")
@click.argument("arguments", nargs=-1, required=True, metavar="[UPSTREAM] PATH")
@click.pass_context
def command(
    ctx: click.Context,
    config: str | None,
    origin: str,
    method: str,
    headers: tuple[str, ...],
    credentials: bool,
    as_json: bool,
    arguments: tuple[str, ...],
) -> None:
    """Say what the proxy would decide about a page's call to PATH, and why.

    Every rule that is tested is named with its line, then the verdict, the grant that
    would be sent, and the smallest edit that would allow it. Nothing is sent anywhere.
    With UPSTREAM the policy is that of `corsproxy UPSTREAM`. The exit code is 0 if the
    call is allowed, 1 if it is refused.
    """
    if len(arguments) > 2:
        raise click.UsageError(f"unexpected argument {arguments[2]!r}.")
    path = arguments[-1]
    if "://" in path:
        raise click.UsageError(
            "PATH is a path on the proxy, such as /v1/users; an upstream comes before it."
        )
    upstream = arguments[0] if len(arguments) == 2 else None
    config, upstream = one_of(ctx, config=config, upstream=upstream)
    file = None if upstream is not None else _file(config)
    policy = policy_for(upstream or "", ()) if file is None else _file_policy(file)
    try:
        explanation = explain(policy, Question(origin, path, method, headers, credentials))
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    edit = None if file is None else _smallest_edit(file, explanation)
    if as_json:
        lines = None if file is None or edit is None else diff(file.name, edit.before, edit.after)
        click.echo(json.dumps({**explanation.to_json(), "edit": lines}, indent=2))
    else:
        click.echo(_colored(explanation, wants_color("stdout")), color=True)
        if file is not None and edit is not None:
            click.echo("\nThe smallest edit that allows it; corsproxy allow makes it:\n")
            print_diff(file.name, edit.before, edit.after)
    ctx.exit(Exit.OK if explanation.allowed else Exit.FINDINGS)


def _file(config: str | None) -> File:
    name = config or default_file()
    return File(read_bytes(name), name, os.environ, os.path.dirname(os.path.abspath(name)))


def _file_policy(file: File) -> Policy:
    try:
        return file.read().policy
    except ConfigError as error:
        raise RefusedConfig(file.name, error.problems) from None


def _smallest_edit(file: File, explanation: Explanation) -> Edit | None:
    """Return the edit that the remedy stands for; None where none can be made."""
    remedy = explanation.remedy
    if remedy is None:
        return None
    try:
        return allow(file, remedy.key, remedy.value, remedy.route)
    except (ConfigError, EditError):
        return None


def _colored(explanation: Explanation, color: bool) -> str:
    lines = []
    for line in explanation.text().split("\n"):
        mark, _, rest = line.strip().partition(" ")
        indent = " " * (len(line) - len(line.lstrip()))
        styles = [_MARKS[mark]] if mark in _MARKS else []
        text = f"{indent}{paint(escape(mark), *styles, color=color)}"
        lines.append(f"{text} {escape(rest)}" if rest else text)
    return "\n".join(lines)
