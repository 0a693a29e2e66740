"""Fitting paths and sentences to a width."""

import pytest

from corsproxy.shell.feed.layout import fitted, known_width, paragraph, shortened


@pytest.mark.parametrize(
    ("text", "width", "found"),
    [("/a/b", 10, "/a/b"), ("/abcdefghij", 7, "/ab…hij"), ("abcdef", 6, "abcdef")],
)
def test_the_middle_is_left_out(text: str, width: int, found: str) -> None:
    assert shortened(text, width) == found


def test_a_sentence_is_wrapped_and_a_command_is_not() -> None:
    sentence = "word " * 30
    assert all(len(line) <= 60 for line in paragraph(sentence, 60))
    command = "corsproxy allow origin https://a-very-long-name-of-a-host.example.com"
    assert paragraph(f"Add it, or run: {command}", 60)[-1] == f"{'':12}{command}"
    assert paragraph("run: corsproxy", 60) == [f"{'':10}run: corsproxy"]


def test_lines_are_fitted_with_their_indentation_and_a_command_has_a_line_of_its_own() -> None:
    command = f"corsproxy allow header {' '.join(f'x-{number}' for number in range(30))}"
    text = f"short\n    {'word ' * 30}\nAdd them, or run: {command}"
    assert fitted(text, None) == text
    short, *wrapped, told, last = fitted(text, 60).split("\n")
    assert short == "short"
    assert wrapped[0].startswith("    word")
    assert all(line.startswith("      word") and len(line) <= 60 for line in wrapped[1:])
    assert (told, last) == ("Add them, or run:", f"  {command}")


def test_the_columns_variable_does_not_make_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert known_width("stdout") is None
    monkeypatch.setattr("sys.stderr", None)
    assert known_width("stderr") is None
