"""`corsproxy export`: the allowlist as another proxy's configuration, with a loss report."""

import click

from corsproxy.cli.failures import Exit, Failure, refusing
from corsproxy.cli.files import default_file, read_bytes, read_to_serve
from corsproxy.cli.options import config_option, format_option, option
from corsproxy.cli.terminal import print_json
from corsproxy.config.places import read_places
from corsproxy.config.problems import escape
from corsproxy.config.yaml.document import read_document
from corsproxy.export.engines import ENGINES, Exported, NothingToExportError, export

_WITHOUT_FILE = "name the file (corsproxy export ENGINE -c FILE), or write one (corsproxy init)"
_LISTENER = "write `tls: {cert_file: cert.pem, key_file: key.pem}`, or listen without https://"


@click.command()
@click.argument("engine", type=click.Choice(list(ENGINES)))
@config_option
@format_option("text", "json", help="json: an object with the configuration and the losses.")
@option("--strict", is_flag=True, help="Exit with 1 if the export loses something of this file.")
@click.pass_context
def command(ctx: click.Context, engine: str, config: str | None, form: str, strict: bool) -> None:
    """Print the allowlist as the configuration of another proxy.

    The whole file is exported, ready to run. Whatever ENGINE cannot do like this proxy is
    listed on standard error and at the top of the configuration: each difference with its
    line, and separately what every export to this engine loses. The export never allows more
    than the file.
    """
    file = config or default_file(_WITHOUT_FILE)
    exported = _exported(engine, file)
    if form == "json":
        print_json(_as_json(engine, file, exported))
    else:
        # Written as bytes, because a value from the environment may not be UTF-8.
        click.echo(exported.text.encode("utf-8", "surrogateescape"), nl=False)
        for loss in exported.losses:
            click.echo(escape(str(loss)), err=True)
        for words in exported.always:
            click.echo(f"always: {words}", err=True)
    if strict and exported.losses:
        ctx.exit(Exit.FINDINGS)


def _exported(engine: str, file: str) -> Exported:
    with refusing(file):
        document = read_document(read_bytes(file), file)
        policy = read_to_serve(document, file).policy
    try:
        return export(engine, policy, file, read_places(document, file))
    except NothingToExportError as nothing:
        message = f"no listener of {file} can be exported: {nothing}"
        raise Failure(message, Exit.FINDINGS, _LISTENER) from None


def _as_json(engine: str, file: str, exported: Exported) -> dict[str, object]:
    return {
        "engine": engine,
        "file": file,
        "configuration": exported.text.encode("utf-8", "surrogateescape").decode(
            "utf-8", "replace"
        ),
        "losses": [
            {"file": loss.source.name, "line": loss.source.line, "words": loss.words}
            for loss in exported.losses
        ],
        "always": list(exported.always),
    }
