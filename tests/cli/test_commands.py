"""The commands by name."""

import pytest

from corsproxy.cli.commands import code_at_interrupt, command_of


@pytest.mark.parametrize(
    ("line", "command", "code"),
    [
        ("", "serve", 0),
        ("https://api.example.com", "serve", 0),
        ("-c check", "serve", 0),
        ("serve -q", "serve", 0),
        ("demo", "demo", 0),
        ("check serve", "check", 130),
        ("test --live https://api.example.com", "test", 130),
    ],
)
def test_the_first_argument_names_the_command(line: str, command: str, code: int) -> None:
    arguments = line.split()
    assert (command_of(arguments), code_at_interrupt(arguments)) == (command, code)
