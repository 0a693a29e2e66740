"""`corsproxy completion`: the script that lets a shell complete commands and flags."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_CORSPROXY_COMPLETE"
"""The variable by which click recognizes the shell's completion requests."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    eval "$(corsproxy completion bash)"     # in ~/.bashrc
    eval "$(corsproxy completion zsh)"      # in ~/.zshrc
    corsproxy completion fish | source      # in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click does not support completion for {shell}.")
    click.echo(made(ctx.find_root().command, {}, "corsproxy", _VARIABLE).source())
