"""`corsproxy init`: writes a commented allowlist file to start from."""

import os.path
import shlex
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import click
from click.core import ParameterSource

from corsproxy.cli.addresses import (
    admin_address,
    listen_addresses,
    port_number,
    port_of_listeners,
)
from corsproxy.cli.durations import duration
from corsproxy.cli.failures import Exit, Failure, reason_of, telling
from corsproxy.cli.flags import Flags
from corsproxy.cli.options import config_option, option
from corsproxy.cli.quick import OF_LISTENER, check_without_upstream, quick_of, quick_options
from corsproxy.cli.upstream import policy_of
from corsproxy.config.without_file import read_headers
from corsproxy.config.written_policy import variables_for, written_policy
from corsproxy.core.source import DEFAULT_FILE


@click.command()
@click.argument("upstream", metavar="[UPSTREAM]", required=False)
@config_option
@option("-l", "--listen", multiple=True, callback=listen_addresses, metavar="HOST:PORT")
@option("-p", "--port", callback=port_number, metavar="PORT")
@option("--https", is_flag=True)
@option("--admin", callback=admin_address, metavar="HOST:PORT|off")
@option("--log-format", type=click.Choice(["auto", "text", "json"]))
@option("--drain-delay", callback=duration, metavar="DURATION")
@option("--shutdown-grace", callback=duration, metavar="DURATION")
@quick_options
def command(upstream: str | None, config: str | None, **params: Any) -> None:
    """Write a commented allowlist file to start from. Never overwrites an existing file.

    With UPSTREAM, the file allows exactly what `corsproxy UPSTREAM` with the same flags
    allows: see `corsproxy help serve`.
    """
    if upstream is not None and upstream.endswith((".yaml", ".yml")):
        upstream, config = None, upstream
    file = config or DEFAULT_FILE
    if upstream is None:
        _check_alone(params)
        text = files("corsproxy.config").joinpath("starter.yaml").read_text(encoding="utf-8")
    else:
        text = _text(upstream, file, params)
    _write(file, text)
    run = "corsproxy" if file == DEFAULT_FILE else f"corsproxy -c {file}"
    first = "" if upstream else "Name your upstream and your app's origin in it, then run"
    with telling(f"{file} was written"):
        click.echo(f"Wrote {file}. {first or 'Run'}: {run}")
    if params["headers"]:
        _tell_of_secrets(file, params["headers"])


def _tell_of_secrets(file: str, headers: Sequence[str]) -> None:
    """Say that the values of headers are in the file now, and how to take them out."""
    fields = read_headers(headers, [])
    names = ", ".join(name.decode("ascii") for name, _ in fields)
    click.echo(
        f"corsproxy: {file} now holds the value of {names}, as it was given\n"
        f"  if that is a secret, write {variables_for(fields)} instead, and set the variable where"
        " corsproxy runs",
        err=True,
    )


def _check_alone(params: dict[str, Any]) -> None:
    check_without_upstream(params)
    ctx = click.get_current_context()
    # Variables may be those of a container image, which sets them for `serve`.
    given = [
        name
        for name in OF_LISTENER
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        flag = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{flag} goes with UPSTREAM: corsproxy init URL {flag} …")


def _text(upstream: str, file: str, params: dict[str, Any]) -> str:
    quick = quick_of(upstream, params)
    flags = Flags(
        params["listen"],
        params["admin"],
        params["log_format"],
        params["drain_delay"],
        params["shutdown_grace"],
        "",
        https=params["https"],
        port=port_of_listeners(click.get_current_context(), params["listen"], params["port"]),
    )
    policy = flags.applied_to(policy_of(quick))
    return written_policy(quick, policy, os.path.dirname(os.path.abspath(file)))


def _write(file: str, text: str) -> None:
    try:
        with open(file, "x", encoding="utf-8", errors="surrogateescape", newline="\n") as target:
            target.write(text)
    except FileExistsError:
        raise Failure(
            f"{file} exists already and was left as it is",
            Exit.FINDINGS,
            f"to check it: corsproxy check {shlex.quote(file)}; to write another:"
            " corsproxy init -c NAME.yaml",
        ) from None
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {file}: {reason_of(error)}", Exit.USAGE) from None
