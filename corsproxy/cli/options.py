"""Flags. Each has an environment variable, made from its name."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

PREFIX = "CORSPROXY_"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def environment_variable(flag: str) -> str:
    """Return the variable of a flag: --log-format is CORSPROXY_LOG_FORMAT."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def option(*names: str, **attributes: Any) -> Decorator:
    """`click.option` with the environment variable of the first long name."""
    flag = next(name for name in names if name.startswith("--")).partition("/")[0]
    return click.option(*names, envvar=environment_variable(flag), show_envvar=True, **attributes)


ARGUMENTS = "corsproxy.arguments"
"""The key of the original arguments in a server's context."""


class ServerCommand(click.Command):
    """A command that listens. Suggests --listen for the flags that other servers use."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name in ("--host", "--bind", "--address"):
                message = f"{error.message} Did you mean '--listen'?"
                raise click.NoSuchOption(error.option_name, message, ctx=ctx) from None
            raise


def _file_name(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """A click callback. An empty name, as of an unset variable in a script, must not mean the
    default file. Raises click.BadParameter."""
    if name == "":
        raise click.BadParameter("the name is empty", ctx, param)
    return name


config_option = option(
    "-c",
    "--config",
    "config",
    type=click.Path(),
    callback=_file_name,
    metavar="FILE",
    help="The allowlist file; ./corsproxy.yaml by default.",
)


def one_of(
    ctx: click.Context, *, config: str | None, upstream: str | None
) -> tuple[str | None, str | None]:
    """Return the file or the upstream, whichever was named.

    The command line overrides the environment. Raises click.UsageError if both are named in
    the same place: the file has its own upstreams.
    """
    if config is None or upstream is None:
        return config, upstream
    is_typed = ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE
    upstream_is_typed = ctx.get_parameter_source("upstream") is not ParameterSource.ENVIRONMENT
    if is_typed == upstream_is_typed:
        raise click.UsageError(
            f"UPSTREAM ({upstream}) and --config ({config}) are mutually exclusive: "
            "the file names its own upstreams."
        )
    return (config, None) if is_typed else (None, upstream)


def format_option(*forms: str, help: str) -> Decorator:
    """`--format`, as the parameter `form`; the first form is the default."""
    choice = click.Choice(forms)
    return option("--format", "form", type=choice, default=forms[0], show_default=True, help=help)
