"""Places, as verdicts and messages show them."""

import pytest

from corsproxy.core.source import DEFAULT, Source


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
