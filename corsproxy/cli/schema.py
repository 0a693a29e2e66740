"""`corsproxy schema`: the JSON Schema (draft-07) of the allowlist file, for editors."""

from importlib.resources import files

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of the allowlist file, for editors.

    With yaml-language-server: save it, and put this line first in the file:
    # yaml-language-server: $schema=./corsproxy.schema.json
    """
    schema = files("corsproxy.config").joinpath("schema.json").read_text(encoding="utf-8")
    click.echo(schema, nl=False)
