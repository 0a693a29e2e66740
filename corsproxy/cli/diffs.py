"""Printing a diff: coloured for a terminal, and harmless to it."""

import click

from corsproxy.cli.terminal import Stream, wants_color
from corsproxy.config.editing.diffs import diff
from corsproxy.config.problems import escape
from corsproxy.shell.log.ansi import Style, paint

_STYLES = {"-": Style.RED, "+": Style.GREEN, "@": Style.CYAN}


def print_diff(name: str, before: bytes, after: bytes, stream: Stream = "stdout") -> None:
    """Print what changed in the file, as a unified diff.

    Tabs stay. A carriage return at a line's end is left out: the terminal would take it
    for a command.
    """
    color = wants_color(stream)
    for line in diff(name, before, after):
        shown = "\t".join(map(escape, line.removesuffix("\r").split("\t")))
        header = line.startswith(("--- ", "+++ "))
        style = Style.BOLD if header else _STYLES.get(line[:1])
        styles = [] if style is None else [style]
        click.echo(paint(shown, *styles, color=color), err=stream == "stderr", color=True)
