"""Whether output is coloured, decided once from the environment and the stream."""

import sys

import pytest

from corsproxy.cli.terminal import is_interactive, is_terminal, wants_color


class Stream:
    """A standard stream that is or is no terminal."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def pretend(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream(terminal))


@pytest.mark.parametrize(
    ("terminal", "environ", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "0"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colour(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], expected: bool
) -> None:
    pretend(monkeypatch, terminal=terminal)
    assert wants_color("stdout", environ) is expected


@pytest.mark.parametrize(
    ("terminal", "environ", "expected"),
    [(True, {}, True), (True, {"CI": "true"}, False), (False, {}, False)],
)
def test_keys_are_read_only_from_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], expected: bool
) -> None:
    pretend(monkeypatch, terminal=terminal)
    assert is_interactive(environ) is expected


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_keys_need_a_terminal_for_output(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    pretend(monkeypatch, terminal=True)
    monkeypatch.setattr(sys, stream, Stream(is_terminal=False))
    assert not is_interactive({})


def test_a_closed_stream_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert not is_terminal("stdout")
    assert not wants_color("stdout", {})
