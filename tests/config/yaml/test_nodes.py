"""What a node is, in YAML and in words."""

import pytest

from corsproxy.config.yaml.nodes import is_null, kind_of
from tests.config.trees import child, document_of


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_is_as_in_yaml_1_2(text: str) -> None:
    assert is_null(child(document_of(f"a: {text}\n").root, "a"))


@pytest.mark.parametrize("text", ['""', '"null"', "nULL", "none", "nil"])
def test_other_texts_are_not_null(text: str) -> None:
    assert not is_null(child(document_of(f"a: {text}\n").root, "a"))


def test_kinds_have_words() -> None:
    root = document_of("a: [b]\n").root
    assert [kind_of(child(root, *path)) for path in ((), ("a",), ("a", 0))] == [
        "a mapping",
        "a list",
        "a single value",
    ]
