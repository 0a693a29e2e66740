"""Every flag has an environment variable."""

import click
import pytest
from click.testing import CliRunner

from corsproxy.cli.options import config_option, environment_variable, one_of, option


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


@click.command()
@config_option
@click.argument("upstream", required=False, envvar="CORSPROXY_UPSTREAM")
@click.pass_context
def named(ctx: click.Context, config: str | None, upstream: str | None) -> None:
    click.echo(one_of(ctx, config=config, upstream=upstream))


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        ([], {}, (None, None)),
        (["-c", "x"], {}, ("x", None)),
        (["http://u"], {}, (None, "http://u")),
        (["http://u"], {"CORSPROXY_CONFIG": "x"}, (None, "http://u")),
        (["-c", "x"], {"CORSPROXY_UPSTREAM": "http://u"}, ("x", None)),
        (["-c", "x"], {"CORSPROXY_UPSTREAM": ""}, ("x", None)),
    ],
)
def test_typed_arguments_override_variables(
    arguments: list[str], variables: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    result = CliRunner(env=variables).invoke(named, arguments)
    assert result.output == f"{expected}\n"


def test_an_empty_file_name_is_not_the_default_file() -> None:
    result = CliRunner().invoke(named, ["-c", ""])
    assert (result.exit_code, "the name is empty" in result.output) == (2, True)
    assert CliRunner(env={"CORSPROXY_CONFIG": ""}).invoke(named).output == "(None, None)\n"


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["-c", "x", "http://u"], {}),
        ([], {"CORSPROXY_CONFIG": "x", "CORSPROXY_UPSTREAM": "http://u"}),
    ],
)
def test_file_and_upstream_are_mutually_exclusive(
    arguments: list[str], variables: dict[str, str]
) -> None:
    result = CliRunner(env=variables).invoke(named, arguments)
    assert result.exit_code == 2
    assert "are mutually exclusive" in result.output
