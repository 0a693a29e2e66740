"""`corsproxy allow`: makes the edit that `corsproxy explain` proposes."""

import shlex
from collections.abc import Sequence

import click

from corsproxy.cli.diffs import print_diff
from corsproxy.cli.failures import Exit, Failure, print_problems
from corsproxy.cli.files import default_file, editable, rewrite
from corsproxy.cli.options import config_option, option
from corsproxy.config.editing.edits import Edit, File, allow_all
from corsproxy.config.editing.entries import VALUE
from corsproxy.config.editing.splices import EditError
from corsproxy.config.problems import ConfigError, Problem, escape
from corsproxy.core.advice.remedies import KINDS

_KEYS = {kind: key for key, kind in KINDS.items()}

_WITHOUT_FILE = (
    "name the file (corsproxy allow … -c FILE), or write one (corsproxy init); a proxy without a "
    "file takes another origin as --allow-origin ORIGIN, and allows every method and header"
)


@click.command()
@click.argument("kind", type=click.Choice(list(_KEYS)))
@click.argument("values", nargs=-1, metavar="VALUE...")
@config_option
@option("--route", metavar="NAME", help="Allow it only for this route: its name or its path.")
@option("--dry-run", is_flag=True, help="Print the diff and write nothing.")
@click.pass_context
def command(
    ctx: click.Context,
    kind: str,
    values: tuple[str, ...],
    config: str | None,
    route: str | None,
    dry_run: bool,
) -> None:
    """Add each VALUE to the allowlist file: origins, methods, request headers, response
    headers that pages may read (expose), or host names that this proxy answers to. Or
    allow credentials, without a VALUE.

    Prints the diff. All other bytes of the file stay as they are, comments included, and the
    new file allows nothing else; an edit that cannot be made this way is refused. Without
    --route, the list in force is changed: that of the only route, or the default one.
    The exit code is 0 if every VALUE is allowed now, 1 if one is refused.
    """
    if kind == "credentials" and values in ((), ("true",)):
        values = ("true",)
    elif kind == "credentials" or not values:
        raise click.UsageError(_wrong_value(kind))
    if kind == "host" and route is not None:
        raise click.UsageError("hosts do not belong to a route: leave out --route.")
    name = config or default_file(_WITHOUT_FILE)
    file = editable(name)
    options = [*(["-c", config] if config else []), *(["--route", route] if route else [])]
    options += ["--dry-run"] * dry_run
    edit = _edited(file, kind, values, route, options)
    if not edit.changed:
        click.echo(escape(edit.summary))
        return
    print_diff(name, edit.before, edit.after)
    if not dry_run:
        rewrite(file, edit.after)
    print_problems(edit.warnings, "stderr")
    click.echo(f"{name}: {escape(edit.summary)}" + (" (not written)" if dry_run else ""))
    if edit.untouched:
        names = ", ".join(edit.untouched)
        click.echo(f"Not changed, because they set their own list: {names}. See --route.")


def _wrong_value(kind: str) -> str:
    if kind == "credentials":
        return "credentials takes no VALUE."
    return f"which {kind}? Give a VALUE."


def _edited(
    file: File, kind: str, values: tuple[str, ...], route: str | None, options: Sequence[str]
) -> Edit:
    """`options` are the other flags that were typed."""
    try:
        return allow_all(file, _KEYS[kind], values, route)
    except ConfigError as error:
        print_problems(error.problems, "stderr")
        help = _instead(kind, values, options, error.problems)
        raise Failure(f"{file.name} was left as it is", Exit.FINDINGS, help) from None
    except EditError as error:
        print_problems(error.problems, "stderr")
        message = f"{file.name} was left as it is: {error.reason}"
        raise Failure(message, Exit.FINDINGS, error.help) from None


def _instead(
    kind: str, values: tuple[str, ...], options: Sequence[str], problems: tuple[Problem, ...]
) -> str:
    """Return the command that was most likely meant; "" if unknown."""
    fixes = {each.line_text: each.fix for each in problems if each.source == VALUE and each.fix}
    if len(fixes) != len(problems):
        return ""
    meant = [fixes.get(value, value) for value in values]
    return f"run: {shlex.join(['corsproxy', 'allow', kind, *meant, *options])}"
