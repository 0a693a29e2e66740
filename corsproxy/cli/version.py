"""`corsproxy version`: prints the same as `corsproxy -V`."""

import click

from corsproxy.cli import main


@click.command()
def command() -> None:
    """Print the version, and whether the hot path is compiled."""
    click.echo(f"corsproxy {main.version()}")
