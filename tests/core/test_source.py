"""Places, as verdicts and messages show them."""

import pytest

from corsproxy.core.source import ARGUMENTS, DEFAULT, Source


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source("corsproxy.yaml", 4, 5), "corsproxy.yaml:4:5"),
        (Source("--allow-origin"), "--allow-origin"),
        (DEFAULT, "default"),
    ],
)
def test_source_reads_as_an_editor_takes_it(source: Source, text: str) -> None:
    assert str(source) == text


def test_arguments_of_a_program_have_no_lines() -> None:
    assert str(Source(ARGUMENTS, 7, 26)) == ARGUMENTS
