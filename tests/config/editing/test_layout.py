"""Where additions go, in layouts that mislead line-based editing."""

import pytest

from corsproxy.config.editing.allowlists import value_of
from corsproxy.config.editing.layout import Layout
from corsproxy.config.editing.splices import EditError, spliced
from corsproxy.config.yaml.document import Document, read_document
from corsproxy.config.yaml.nodes import Mapping, Node


def document(text: str) -> Document:
    return read_document(text, "c.yaml")


def node(found: Document, *path: str) -> Node:
    value: Node = found.root
    for key in path:
        assert isinstance(value, Mapping)
        inner = value_of(value, key)
        assert inner is not None
        value = inner
    return value


def with_item(text: str, value: str = "NEW") -> str:
    found = document(text)
    return spliced(text, Layout(found).add_item(node(found, "a"), value))


def with_entry(text: str, *path: str) -> str:
    found = document(text)
    holder = node(found, *path)
    assert isinstance(holder, Mapping)
    return spliced(text, Layout(found).add_entry(holder, "k", ["v", "w"]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n- x\n", "a:\n- x\n- NEW\n"),
        ("a:\n-   x\n", "a:\n-   x\n-   NEW\n"),
        ("a:\n-\n  x\n", "a:\n-\n  x\n- NEW\n"),
        ("a:\n  - &n x\n", "a:\n  - &n x\n  - NEW\n"),
        ("a:\n  - &n\n    x\n", "a:\n  - &n\n    x\n  - NEW\n"),
        ('a:\n  - "x\\\n    y"\nb: c\n', 'a:\n  - "x\\\n    y"\n  - NEW\nb: c\n'),
        ("a:\n  - |-\n    # x\n\n\n# end\n", "a:\n  - |-\n    # x\n  - NEW\n\n\n# end\n"),
        ("a:\n  - x\n...\n", "a:\n  - x\n  - NEW\n...\n"),
        ("---\na:\n  - x\n", "---\na:\n  - x\n  - NEW\n"),
        ("a:\n  - x\r  - y\r", "a:\n  - x\r  - y\r  - NEW\r"),
        ("a: [x]", "a: [x, NEW]"),
        ("a: [&b x, *b]\n", "a: [&b x, *b, NEW]\n"),
        ("a:\n  - &b x\n  - *b\n", "a:\n  - &b x\n  - *b\n  - NEW\n"),
        ("a:\n  [x]\n", "a:\n  [x, NEW]\n"),
        ("a: [x,]", "a: [x, NEW,]"),
        ("a: [x\n]", "a: [x, NEW\n]"),
        ("a: [\n  # none\n]\n", "a: [NEW\n  # none\n]\n"),
        ("a: [\n  x\n]\n", "a: [\n  x,\n  NEW\n]\n"),
        ("a: [\n  x ]\n", "a: [\n  x,\n  NEW ]\n"),
        ("a: [\n  x # a, b\n]\n", "a: [\n  x, # a, b\n  NEW\n]\n"),
        ("a: [\n  x # a\n  # b\n  , y\n]\n", "a: [\n  x # a\n  # b\n  , y\n  , NEW\n]\n"),
        ("a: [\n  x, # a\n  y,\n  # z\n]\n", "a: [\n  x, # a\n  y,\n  NEW,\n  # z\n]\n"),
        ("a: [x, 'y, # z']\n", "a: [x, 'y, # z', NEW]\n"),
        ("a: x\n", "a: [x, NEW]\n"),
        ("a: 'x' # y\n", "a: ['x', NEW] # y\n"),
        ("a: x[0]\n", 'a: ["x[0]", NEW]\n'),
        ("a:\n  x\n", "a:\n  [x, NEW]\n"),
        ("{a: x}", "{a: [x, NEW]}"),
    ],
)
def test_an_item_goes_to_the_end(before: str, after: str) -> None:
    assert with_item(before) == after
    read_document(after, "c.yaml")


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: 1\n", (), "a: 1\nk: [v, w]\n"),
        ("a: 1 # b\n\n# c\n", (), "a: 1 # b\nk: [v, w]\n\n# c\n"),
        ("  a: 1\n  b: 2", (), "  a: 1\n  b: 2\n  k: [v, w]"),
        ("a:\n    b: 1\n    # c\nd: 2\n", ("a",), "a:\n    b: 1\n    k: [v, w]\n    # c\nd: 2\n"),
        ("a:\n  b:\n    - 1\n    # 2\n", ("a",), "a:\n  b:\n    - 1\n    # 2\n  k: [v, w]\n"),
        ("a:\n  b:\n   c: 1\n\nd: 2\n", ("a",), "a:\n  b:\n   c: 1\n  k: [v, w]\n\nd: 2\n"),
        (
            "x-b: &b {c: 1}\na:\n  d:\n    e: 1\n    <<: *b\nf: 2\n",
            ("a",),
            "x-b: &b {c: 1}\na:\n  d:\n    e: 1\n    <<: *b\n  k: [v, w]\nf: 2\n",
        ),
        (
            "x-b: &b {c: 1}\na:\n  <<: *b\n  d: 1\nf: 2\n",
            ("a",),
            "x-b: &b {c: 1}\na:\n  <<: *b\n  d: 1\n  k: [v, w]\nf: 2\n",
        ),
        (
            "x-b: &b {c: 1}\na:\n  <<: *b\nf: 2\n",
            ("a",),
            "x-b: &b {c: 1}\na:\n  k: [v, w]\n  <<: *b\nf: 2\n",
        ),
        (
            "x-b: &b {c: 1}\na:\n  d: *b # e\nf: 2\n",
            ("a",),
            "x-b: &b {c: 1}\na:\n  d: *b # e\n  k: [v, w]\nf: 2\n",
        ),
        ("x-b: &b {c: 1}\na: {<<: *b}\n", ("a",), "x-b: &b {c: 1}\na: {k: [v, w], <<: *b}\n"),
        (
            "x-b: &b {c: 1}\na: {d: 1, <<: *b}\n",
            ("a",),
            "x-b: &b {c: 1}\na: {d: 1, k: [v, w], <<: *b}\n",
        ),
        ("a: {}\n", ("a",), "a: {k: [v, w]}\n"),
        ("a: { b: 1 }\n", ("a",), "a: { b: 1, k: [v, w] }\n"),
        ("a: {\n  b: 1,\n  c: 2\n}\n", ("a",), "a: {\n  b: 1,\n  c: 2,\n  k: [v, w]\n}\n"),
        ('{"a": {"b": 1}}', ("a",), '{"a": {"b": 1, "k": [v, w]}}'),
        (
            "a: &n\n  b: |\n    text\n    # text\n\n\nc: 1\n",
            ("a",),
            "a: &n\n  b: |\n    text\n    # text\n  k: [v, w]\n\n\nc: 1\n",
        ),
    ],
)
def test_a_key_goes_to_the_end_of_its_mapping(
    before: str, path: tuple[str, ...], after: str
) -> None:
    assert with_entry(before, *path) == after
    read_document(after, "c.yaml")


def test_a_key_can_follow_another_one() -> None:
    text = "a: 1\nb: # c\n  - 2 # d\n\n# e\nf: 3\n"
    found = document(text)
    after = Layout(found).add_entry(found.root, "k", "v", found.root.entries[1])
    assert spliced(text, after) == "a: 1\nb: # c\n  - 2 # d\nk: v\n\n# e\nf: 3\n"


@pytest.mark.parametrize("step", [1, 2, 3, 4, 8])
def test_mappings_are_indented_as_the_file_indents_them(step: int) -> None:
    indent = " " * step
    text = f"a:\n{indent}b:\n{indent}{indent}c: 1\n"
    found = document(text)
    after = Layout(found).add_entry(found.root, "k", {"v": {"w": "1"}})
    assert spliced(text, after) == f"{text}k:\n{indent}v:\n{indent}{indent}w: 1\n"


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("a: 1\n", "https://a.test", "https://a.test"),
        ("a: 1\n", "*", '"*"'),
        ("a: 1\n", "null", '"null"'),
        ("a: 1\n", "8010", '"8010"'),
        ("a: 1\n", "a$b", '"a$$b"'),
        ("{a: 1}\n", "b", "b"),
        ('{"a": 1}\n', "b", '"b"'),
    ],
)
def test_values_are_quoted_where_they_must_be(text: str, value: str, written: str) -> None:
    assert Layout(document(text)).written(value) == written


@pytest.mark.parametrize(
    "text",
    [
        "x-b: &b y\na: [x, *b]\n",
        "x-b: &b y\na: [*b]\n",
        "a: >-\n  x\n",
        "a: {b: c}\n",
    ],
)
def test_an_unknown_place_is_refused(text: str) -> None:
    with pytest.raises(EditError):
        with_item(text)
