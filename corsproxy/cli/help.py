"""`corsproxy help [COMMAND]`: prints the same as `corsproxy [COMMAND] -h`."""

import click

from corsproxy.cli import main


@click.command()
@click.argument("name", metavar="[COMMAND]", required=False)
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show the commands, or the flags of one."""
    parent = ctx.find_root()
    if name is None:
        click.echo(parent.get_help())
        return
    found = main.cli.get_command(parent, name)
    if found is None:
        message = f"no command is named {name!r}."
        close = main.closest(name)
        also = f"Did you mean {close!r}?" if close else "To see them all: corsproxy help"
        raise click.UsageError(f"{message} {also}", parent)
    with click.Context(found, parent, info_name=name) as asked:
        click.echo(found.get_help(asked))
