"""Flags that take a duration: the file's own parser, with its suggestions."""

import click

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.units import parse_duration

_LONGEST = 365 * 86400.0


def duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """A click callback: seconds; None where the flag is not given.

    Raises click.BadParameter.
    """
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except BadValueError as mistake:
        message = f"{text!r}: {mistake.message}: {mistake.help}"
        raise click.BadParameter(message, ctx, param) from None
    if seconds > _LONGEST:
        raise click.BadParameter(f"{text!r}: at most 365d.", ctx, param)
    return seconds
