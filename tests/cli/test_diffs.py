"""Showing what changed."""

import pytest

from corsproxy.cli.diffs import print_diff

BEFORE = b"a: 1\nb: 2\n"


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")


@pytest.mark.usefixtures("colours")
def test_lines_have_the_colours_that_git_gives_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff("c.yaml", BEFORE, b"a: 1\nb: 3\n")
    assert capsys.readouterr().out == (
        "\x1b[1m--- a/c.yaml\x1b[0m\n\x1b[1m+++ b/c.yaml\x1b[0m\n\x1b[36m@@ -1,2 +1,2 @@\x1b[0m\n"
        " a: 1\n\x1b[31m-b: 2\x1b[0m\n\x1b[32m+b: 3\x1b[0m\n"
    )


def test_it_can_leave_stdout_to_others(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff("c.yaml", BEFORE, b"", "stderr")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "-a: 1" in shown.err


def test_the_terminal_is_driven_by_nothing_in_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_diff("c.yaml", b"", "a: 1 # \x1b]0;x\x07 \u202e\t!\r\n".encode())
    line = capsys.readouterr().out.splitlines()[3]
    assert line == "+a: 1 # \\x1b]0;x\\x07 \\u202e\t!"


def test_a_line_that_looks_like_a_header_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff("c.yaml", b"-- x\n", b"++ x\n")
    assert capsys.readouterr().out.splitlines()[3:] == ["--- x", "+++ x"]
