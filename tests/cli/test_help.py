"""`corsproxy help` says what the flag says."""

from click.testing import CliRunner

from corsproxy.cli.main import cli


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, arguments, prog_name="corsproxy")
    return result.exit_code, result.output


def test_help_is_the_flag() -> None:
    assert said("help") == said("-h")
    assert said("help", "serve") == said("serve", "--help")


def test_help_about_nothing() -> None:
    code, output = said("help", "explian")
    assert code == 2
    assert "Did you mean 'explain'?" in output
    code, output = said("help", "nonsense")
    assert code == 2
    assert output.endswith("no command is named 'nonsense'. To see them all: corsproxy help\n")
