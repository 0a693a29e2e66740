"""Indentation and comments."""

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.export.layout import block, comment, indented


def test_blocks_are_indented_and_apart() -> None:
    assert block("a", ["b;"], [], ["c;"]) == ["a {", "  b;", "", "  c;", "}"]
    assert indented(["a", ""]) == ["  a", ""]


@given(st.text())
def test_a_comment_never_ends_before_its_line(text: str) -> None:
    line = comment(text)
    assert line.startswith("#")
    assert len(line.splitlines()) == 1
    assert line.isprintable()
