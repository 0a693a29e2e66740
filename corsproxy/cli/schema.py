"""`corsproxy schema`: the JSON Schemas (draft-07) of the files, for editors."""

from importlib.resources import files

import click

from corsproxy.cli.options import option


@click.command()
@option("--tests", is_flag=True, help="Print the schema of corsproxy.test.yaml instead.")
def command(tests: bool) -> None:
    """Print the JSON Schema of the allowlist file, for editors.

    With yaml-language-server: save it, and put this line first in the file:
    # yaml-language-server: $schema=./corsproxy.schema.json
    """
    name = "expectations.schema.json" if tests else "schema.json"
    click.echo(files("corsproxy.config").joinpath(name).read_text(encoding="utf-8"), nl=False)
