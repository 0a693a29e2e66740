"""Showing what changed."""

import pytest

from corsproxy.cli.diffs import print_diff

BEFORE = b"a: 1\nb: 2\n"


def test_it_is_coloured_if_the_stream_supports_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_diff("c.yaml", BEFORE, b"a: 1\n")
    assert "\n-b: 2\n" in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_diff("c.yaml", BEFORE, b"a: 1\n")
    assert "\n\x1b[31m-b: 2\x1b[0m\n" in capsys.readouterr().out


def test_it_can_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff("c.yaml", BEFORE, b"", "stderr")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "-a: 1" in shown.err
