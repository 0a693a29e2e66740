"""The flags that go with an UPSTREAM, for use without a file."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from corsproxy.cli.options import ARGUMENTS, option
from corsproxy.config.without_file import Quick
from corsproxy.core.policy import Typed

# Each flag, by its parameter, and what to write in a file instead.
_IN_FILE = {
    "insecure": "`tls: {verify: false}` on a route",
    "ca_file": "`tls: {ca_file: FILE}` on a route",
    "preserve_host": "`preserve_host: true` on a route",
    "origin": "`origin:` on a route",
    "headers": "`request_headers: {set: {NAME: VALUE}}` on a route",
}
_FLAGS = {"headers": "--header"}
# Flags that both commands take beside these.
_FILES = ("--allow-origin",)
OF_LISTENER = ("listen", "port", "https", "admin", "log_format", "drain_delay", "shutdown_grace")
"""`init` takes these only with an upstream: the starter file has no line for them."""


def quick_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a click command, whose parameters are then those of `quick_of`."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


_OPTIONS = (
    option(
        "--allow-origin",
        "allow_origins",
        multiple=True,
        metavar="ORIGIN",
        help="With UPSTREAM: another origin that may call it; may be repeated (in the variable: "
        "separated by spaces).",
    ),
    option(
        "-k",
        "--insecure",
        is_flag=True,
        help="With UPSTREAM: accept any certificate from it, even a self-signed one.",
    ),
    option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False, readable=True),
        metavar="FILE",
        help="With UPSTREAM: trust the certificates in this PEM file.",
    ),
    option(
        "--preserve-host",
        is_flag=True,
        help="With UPSTREAM: send the Host and Origin of the browser, not the upstream's own.",
    ),
    option(
        "--origin",
        type=click.Choice(["rewrite", "keep", "remove"]),
        help="With UPSTREAM: the Origin it gets.  [default: rewrite, its own]",
    ),
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="With UPSTREAM: set a request header towards it, such as an API key; may be repeated.",
    ),
)


def quick_of(upstream: str, params: Mapping[str, Any]) -> Quick:
    """Return what the command line says about UPSTREAM; `params` are click's."""
    return Quick(
        upstream,
        tuple(params["allow_origins"]),
        params["insecure"],
        params["ca_file"],
        params["preserve_host"],
        params["origin"],
        tuple(params["headers"]),
    )


def typed(ctx: click.Context) -> Typed | None:
    """Return the flags that a server was given; None with `--header`, whose values must not be
    shown."""
    parser = ctx.command.make_parser(ctx)
    values, _, given = parser.parse_args(list(ctx.meta.get(ARGUMENTS, ())))
    flags: list[str] = []
    for_init: list[str] = []
    for parameter in dict.fromkeys(given):
        if not isinstance(parameter, click.Option):
            continue
        if parameter.name == "headers":
            return None
        words = _words(parameter, values[parameter.name])
        flags += words
        if parameter.name in OF_LISTENER or parameter.name in _IN_FILE or words[0] in _FILES:
            for_init += words
    return Typed(tuple(flags), tuple(for_init))


def _words(parameter: click.Option, value: Any) -> list[str]:
    name = parameter.opts[0]
    if parameter.is_flag:
        return [name if value else parameter.secondary_opts[0]]
    values = value if parameter.multiple else [value]
    return [word for each in values for word in (name, each)]


def check_without_upstream(params: Mapping[str, Any]) -> None:
    """Raises click.UsageError for a flag that needs an UPSTREAM."""
    if params["allow_origins"]:
        raise click.UsageError(
            "--allow-origin goes with UPSTREAM. To add an origin to the file: "
            f"corsproxy allow origin {params['allow_origins'][0]}"
        )
    for name, key in _IN_FILE.items():
        if params[name]:
            flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
            raise click.UsageError(f"{flag} goes with UPSTREAM. In a file, write {key}.")
