"""The version, in three ways."""

from click.testing import CliRunner

from corsproxy import __version__
from corsproxy.cli.main import cli


def test_each_says_the_same() -> None:
    said = {
        CliRunner().invoke(cli, [word], prog_name="corsproxy").output
        for word in ("version", "-V", "--version")
    }
    [line] = said
    assert line.startswith(f"corsproxy {__version__} (")
