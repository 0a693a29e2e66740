"""`corsproxy init`: writes a commented allowlist file to start from."""

from importlib.resources import files

import click

from corsproxy.cli.failures import Exit, Failure
from corsproxy.core.source import DEFAULT_FILE


@click.command()
@click.argument("file", type=click.Path(), default=DEFAULT_FILE)
def command(file: str) -> None:
    """Write a commented allowlist file to start from; never over one that exists."""
    text = files("corsproxy.config").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        with open(file, "x", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except FileExistsError:
        raise Failure(
            f"{file} exists already and was left as it is",
            Exit.FINDINGS,
            f"see what is wrong with it: corsproxy check {file}",
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        sentence = f"cannot write {file}: {reason[:1].lower()}{reason[1:]}"
        raise Failure(sentence, Exit.USAGE) from None
    click.echo(f"Wrote {file}. Name your upstream and your app's origin in it, then run: corsproxy")
