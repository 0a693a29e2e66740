"""`corsproxy version`: what `corsproxy -V` says."""

import click

from corsproxy.cli import main


@click.command()
def command() -> None:
    """Print the version, and whether the hot path is compiled."""
    click.echo(f"corsproxy {main.version()}")
