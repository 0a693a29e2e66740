"""YAML that a reader of YAML reads back."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.export.yaml_text import Block, Noted, dump, quoted

# What YAML 1.2 lets stand in a document, escaped or not (5.1), without surrogates.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# YAML reads at most 1,024 characters as a key (7.4.2), and an escaped character has ten.
_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_written_yaml_reads_back(value: Any) -> None:
    text = "\n".join(dump(value)) + "\n"
    assert yaml.safe_load(text) == value
    assert text.isascii()


@given(_TEXTS)
def test_no_template_begins_in_a_text(text: str) -> None:
    written = quoted(text)
    assert "{{" not in written
    assert yaml.safe_load(written) == text


def test_comments_come_before_their_values() -> None:
    value = {"a": Noted("first", [1, Noted("one", {"b": "x"})]), "c": Block("d\n\n  e\n"), "f": {}}
    text = "\n".join(dump(value))
    assert text == ('# first\na:\n  - 1\n  # one\n  - b: "x"\nc: |\n  d\n\n    e\nf: {}')
    assert yaml.safe_load(text) == {"a": [1, {"b": "x"}], "c": "d\n\n  e\n", "f": {}}
