"""`corsproxy explain`: the decision that the server would take, in words."""

import json

import click

from corsproxy.cli.failures import Exit, RefusedConfig
from corsproxy.cli.files import default_file, read, read_bytes
from corsproxy.cli.options import config_option, one_of, option
from corsproxy.cli.terminal import wants_color
from corsproxy.cli.upstream import policy_for
from corsproxy.config.problems import ConfigError, escape
from corsproxy.core.explain import Explanation, Question, explain
from corsproxy.core.policy import Policy
from corsproxy.shell.ansi import Style, paint

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
    policy = policy_for(upstream, ()) if upstream is not None else _file_policy(config)
    try:
        explanation = explain(policy, Question(origin, path, method, headers, credentials))
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    if as_json:
        click.echo(json.dumps(explanation.to_json(), indent=2))
    else:
        click.echo(_colored(explanation, wants_color("stdout")), color=True)
    ctx.exit(Exit.OK if explanation.allowed else Exit.FINDINGS)


def _file_policy(config: str | None) -> Policy:
    file = config or default_file()
    try:
        return read(read_bytes(file), file).policy
    except ConfigError as error:
        raise RefusedConfig(file, error.problems) from None


def _colored(explanation: Explanation, color: bool) -> str:
    lines = []
    for line in explanation.text().split("\n"):
        mark, _, rest = line.strip().partition(" ")
        indent = " " * (len(line) - len(line.lstrip()))
        styles = [_MARKS[mark]] if mark in _MARKS else []
        text = f"{indent}{paint(escape(mark), *styles, color=color)}"
        lines.append(f"{text} {escape(rest)}" if rest else text)
    return "\n".join(lines)
