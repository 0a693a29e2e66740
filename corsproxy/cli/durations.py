"""Flags that take a duration or a date, read by the file's own parsers, with their suggestions."""

import click

from corsproxy.config.dates import parse_day
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.units import parse_duration

_LONGEST = 365 * 86400.0


def duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """A click callback: seconds; None if the flag is not given.

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


def day(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """A click callback: a date as YYYY-MM-DD; None if the flag is not given.

    Raises click.BadParameter.
    """
    if text is None:
        return None
    try:
        return parse_day(text)
    except BadValueError as mistake:
        raise click.BadParameter(f"{mistake.message}: {mistake.help}", ctx, param) from None
