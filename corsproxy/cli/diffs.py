"""Prints a diff, in colour if the stream supports it."""

import click

from corsproxy.cli.terminal import Stream, wants_color
from corsproxy.shell.feed.diff_lines import diff_lines


def print_diff(name: str, before: bytes, after: bytes, stream: Stream = "stdout") -> None:
    """Print what changed in the file, as a unified diff."""
    for line in diff_lines(name, before, after, color=wants_color(stream)):
        click.echo(line, err=stream == "stderr", color=True)
