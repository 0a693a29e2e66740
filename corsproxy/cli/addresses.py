"""Flags that take a `host:port`, read by the file's own parser, with its suggestions."""

from collections.abc import Callable
from enum import Enum

import click
from click.core import ParameterSource

from corsproxy.config.hosts import parse_port
from corsproxy.config.listeners import ADMIN_PORT, parse_host_and_port, parse_listen
from corsproxy.config.mistakes import BadValueError
from corsproxy.core.policy import ListenAddress
from corsproxy.core.source import Source


class Off(Enum):
    """The word `off` in place of an address."""

    OFF = "off"


def listen_addresses(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[ListenAddress, ...]:
    """A click callback; raises click.BadParameter."""
    for text in texts:
        if "," in text or ";" in text:
            message = (
                f"{text!r}: several addresses in one value: repeat -l for each, or separate them by"
                " spaces in CORSPROXY_LISTEN"
            )
            raise click.BadParameter(message, ctx, param)
    return tuple(_address(ctx, param, text, parse_listen) for text in texts)


def port_number(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    """A click callback; None if the flag is not given. Raises click.BadParameter."""
    if text is None or _is_kubernetes_url(ctx, param, text):
        return None
    try:
        return parse_port(text, zero=True)
    except BadValueError as mistake:
        message = f"{text!r}: {mistake.help}"
        raise click.BadParameter(message, ctx, param) from None


def _is_kubernetes_url(ctx: click.Context, param: click.Parameter, text: str) -> bool:
    """Whether the value is the URL that Kubernetes sets in every container beside a Service
    named `corsproxy`."""
    source = ctx.get_parameter_source(param.name or "")
    return source is ParameterSource.ENVIRONMENT and text.startswith(("tcp://", "udp://"))


def port_of_listeners(
    ctx: click.Context, listen: tuple[ListenAddress, ...], port: int | None
) -> int | None:
    """Return the port that every listener gets in place of its own; None if each keeps its own.

    A port alone moves the addresses that the environment names, as a container image does, and
    a typed address overrides a port in the environment. Raises click.UsageError if both are
    typed.
    """
    if not listen or port is None or not _is_typed(ctx, "listen"):
        return port
    if _is_typed(ctx, "port"):
        raise click.UsageError("-p names the port alone, and -l the whole address: give one.")
    return None


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def admin_address(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> ListenAddress | Off | None:
    """A click callback; None if the flag is not given. Raises click.BadParameter."""
    if text is None:
        return None
    return Off.OFF if text == "off" else _address(ctx, param, text, _parse_plain)


def _parse_plain(text: str, source: Source) -> ListenAddress:
    return ListenAddress(*parse_host_and_port(text, ADMIN_PORT), source)


def _address(
    ctx: click.Context,
    param: click.Parameter,
    text: str,
    parse: Callable[[str, Source], ListenAddress],
) -> ListenAddress:
    try:
        return parse(text, Source(param.opts[-1]))
    except BadValueError as mistake:
        remedy = f": {mistake.help}" if mistake.help else ""
        likely = f". Did you mean {mistake.suggestion}?" if mistake.suggestion else ""
        message = f"{text!r}: {mistake.message}{remedy}{likely}"
        raise click.BadParameter(message, ctx, param) from None
