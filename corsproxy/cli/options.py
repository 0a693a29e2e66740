"""Flags: every one has an environment variable, made from its name."""

from collections.abc import Callable
from typing import Any

import click

PREFIX = "CORSPROXY_"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def environment_variable(flag: str) -> str:
    """Return the variable of a flag: --log-format is CORSPROXY_LOG_FORMAT."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def option(*names: str, **attributes: Any) -> Decorator:
    """`click.option` with the environment variable of the first long name."""
    flag = next(name for name in names if name.startswith("--")).partition("/")[0]
    return click.option(*names, envvar=environment_variable(flag), show_envvar=True, **attributes)


config_option = option(
    "-c",
    "--config",
    "config",
    type=click.Path(),
    metavar="FILE",
    help="The allowlist file; ./corsproxy.yaml where neither this nor UPSTREAM is given.",
)
