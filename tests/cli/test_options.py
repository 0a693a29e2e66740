"""Every flag has its variable."""

import click
import pytest
from click.testing import CliRunner

from corsproxy.cli.options import environment_variable, option


@pytest.mark.parametrize(
    ("flag", "variable"),
    [("--listen", "CORSPROXY_LISTEN"), ("--log-format", "CORSPROXY_LOG_FORMAT")],
)
def test_the_variable_is_made_of_the_flag(flag: str, variable: str) -> None:
    assert environment_variable(flag) == variable


def test_a_flag_wins_over_its_variable_and_help_names_it() -> None:
    @click.command()
    @option("-c", "--color-name", "name", help="A colour.")
    def command(name: str) -> None:
        click.echo(name)

    run = CliRunner(env={"CORSPROXY_COLOR_NAME": "green"}).invoke
    assert run(command, []).output == "green\n"
    assert run(command, ["-c", "red"]).output == "red\n"
    assert "CORSPROXY_COLOR_NAME" in run(command, ["--help"]).output
