"""Whether output is coloured, whether there is a terminal, and output for programs."""

import os
import sys
from collections.abc import Mapping
from typing import Literal

import click

Stream = Literal["stdout", "stderr"]


def wants_color(stream: Stream, environ: Mapping[str, str] | None = None) -> bool:
    """Whether output to the stream should be coloured.

    NO_COLOR (no-color.org) wins over FORCE_COLOR (force-color.org), both if not empty;
    otherwise a terminal that is not "dumb" gets colours and nothing else does.
    """
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    forced = environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def is_terminal(stream: Stream | Literal["stdin"]) -> bool:
    """Whether the stream is a terminal; False if it is closed."""
    file = getattr(sys, stream)
    return file is not None and file.isatty()


def is_interactive(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a person can press keys and see the result: the three standard streams are a
    terminal, and this is not a CI job."""
    environ = os.environ if environ is None else environ
    streams: tuple[Stream | Literal["stdin"], ...] = ("stdin", "stdout", "stderr")
    return all(map(is_terminal, streams)) and not environ.get("CI")


def print_json(value: object) -> None:
    """Print an object or a list, for programs."""
    # Imported here: most output is for people.
    import json

    click.echo(json.dumps(value, indent=2))
