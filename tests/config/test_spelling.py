"""Writing a text as a value."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.spelling import (
    as_list,
    as_value,
    quoted,
    shown,
    with_space,
    without_bullet,
)
from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Node, Scalar, Sequence


def value_in(text: str) -> Node:
    return read_document(text, "f").root.entries[0].value


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:5173", "http://localhost:*", "https://*.example.com", "PATCH", "x-id",
        "localhost:8010", "127.0.0.1:8010", "10.0.0.0/8", "/api", "unix:/run/a.sock", "10m",
        "64KiB", "1m30s", "10", "content-type", "https://api.example.com/v2",
        "chrome-extension://abc",
    ],
)  # fmt: skip
def test_usual_values_need_no_quotes(text: str) -> None:
    assert as_value(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "true",
        "off",
        "~",
        "",
        "[::1]:8010",
        "a b",
        "a, b",
        "a: b",
        "#a",
        "${A}",
        "-a",
        "é",
    ],
)
def test_ambiguous_values_are_quoted(text: str) -> None:
    assert as_value(text) == quoted(text)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs", "Cn", "Co"]),
        max_size=30,
    ).filter(lambda text: "\ufeff" not in text)
)
def test_a_value_reads_back_as_itself(text: str) -> None:
    node = value_in(f"a: {as_value(text)}\n")
    assert isinstance(node, Scalar)
    assert node.text == text
    node = value_in(f"a: {as_list([text, text])}\n")
    assert isinstance(node, Sequence)
    assert [item.text for item in node.items if isinstance(item, Scalar)] == [text, text]


@given(st.from_regex(r"[A-Za-z/0-9][A-Za-z0-9:/.*~_+-]{0,20}", fullmatch=True))
def test_a_value_without_quotes_is_the_same_to_other_parsers(text: str) -> None:
    written = as_value(text)
    found = yaml.load(f"a: {written}\nb: [{written}]", Loader=yaml.BaseLoader)
    assert found == {"a": text, "b": [text]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream:https://a", "upstream: https://a"),
        ("allow_origins:[a]", "allow_origins: [a]"),
        ("http://a", None),
        ("a: b", None),
        ("a:", None),
        (":a", None),
        ("localhost:3000", "localhost: 3000"),
    ],
)
def test_a_missing_space_is_inserted(text: str, expected: str | None) -> None:
    assert with_space(text) == expected


def test_messages_quote_what_is_short() -> None:
    assert shown("abc") == "`abc`"
    assert shown("") == '`""`'
    assert len(shown("x" * 1000)) < 70


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("-a", "a"),
        ("• http://a.test", "http://a.test"),
        ("–a", "a"),
        ("* a", "a"),
        ("+ a", "a"),
        ("*.a.test", "*.a.test"),
        ("*", "*"),
        ("-5", "-5"),
        ("a - b", "a - b"),
    ],
)
def test_a_bullet_is_no_part_of_an_item(text: str, item: str) -> None:
    assert without_bullet(text) == item
