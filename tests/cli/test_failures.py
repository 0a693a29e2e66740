"""How commands report failures."""

import pytest

from corsproxy.cli.failures import Exit, Failure, RefusedConfig, summary
from corsproxy.config.problems import Problem, Severity
from corsproxy.core.source import Source


def problem(severity: Severity) -> Problem:
    return Problem(severity, "code", "message", Source("corsproxy.yaml", 1, 1))


def test_exit_codes_are_an_interface() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FINDINGS": 1,
        "USAGE": 2,
        "NOT_STARTED": 3,
        "REFUSED_CONFIG": 78,
        "CLOSED_PIPE": 141,
    }


def test_a_failure_is_a_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure("port 8010 is in use", Exit.NOT_STARTED, "try another")
    failure.show()
    assert capsys.readouterr() == ("", "corsproxy: port 8010 is in use\n  try another\n")
    assert failure.exit_code == 3


def test_a_failure_cannot_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Failure("cannot read \x1b[2J", Exit.USAGE).show()
    assert "\x1b" not in capsys.readouterr().err


def test_a_refused_file_shows_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    refused = RefusedConfig("corsproxy.yaml", [problem("error"), problem("warning")])
    refused.show()
    shown = capsys.readouterr().err
    assert shown.count("--> corsproxy.yaml:1:1") == 2
    assert shown.endswith("corsproxy: corsproxy.yaml is refused: 1 error and 1 warning\n")
    assert refused.exit_code == 1


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ([], "no problems"),
        (["error"], "1 error"),
        (["error", "error"], "2 errors"),
        (["warning", "warning"], "2 warnings"),
        (["warning", "error"], "1 error and 1 warning"),
    ],
)
def test_the_summary_counts(severities: list[Severity], text: str) -> None:
    assert summary(map(problem, severities)) == text
