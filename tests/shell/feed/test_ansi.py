"""Colours, if wanted."""

from corsproxy.shell.feed.ansi import Style, paint


def test_colour_is_one_sequence_and_a_reset() -> None:
    assert paint("no", Style.BOLD, Style.RED, color=True) == "\x1b[1;31mno\x1b[0m"


def test_no_colour_changes_nothing() -> None:
    assert paint("no", Style.RED, color=False) == "no"
    assert paint("", Style.RED, color=True) == ""
    assert paint("no", color=True) == "no"
