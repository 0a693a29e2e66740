"""Anchors, merges, duplicates, tags, and the limits of a tree."""

import pytest

from corsproxy.config.yaml.compose import MAX_DEPTH, MAX_NODES
from corsproxy.config.yaml.document import Loader
from corsproxy.config.yaml.nodes import Mapping
from tests.config.trees import LOADERS, child, document_of, refusal_of, text_at


def test_an_alias_stands_for_what_its_anchor_marks() -> None:
    document = document_of("a: &x [one]\nb: *x\n")
    assert child(document.root, "a") is child(document.root, "b")
    assert document.aliased == {"x"}
    assert child(document.root, "a").anchor == "x"


def test_an_anchor_may_be_set_anew() -> None:
    assert text_at("a: &x one\nb: &x two\nc: *x\n", "c") == "two"


def test_a_merge_adds_missing_keys() -> None:
    text = "a: &x {one: 1, two: 2}\nb:\n  <<: *x\n  two: 3\n"
    node = child(document_of(text).root, "b")
    assert isinstance(node, Mapping)
    found = [
        (entry.key.text, text_at(text, "b", entry.key.text), entry.merged) for entry in node.entries
    ]
    assert found == [("two", "3", False), ("one", "1", True)]


def test_the_first_of_several_merges_wins() -> None:
    text = "a: &x {k: 1}\nb: &y {k: 2, l: 3}\nc: {<<: [*x, *y]}\n"
    assert (text_at(text, "c", "k"), text_at(text, "c", "l")) == ("1", "3")


def test_merges_may_be_nested() -> None:
    text = "a: &x {k: 1}\nb: &y {<<: *x}\nc: {<<: *y}\n"
    assert text_at(text, "c", "k") == "1"


def test_a_quoted_merge_key_is_a_key() -> None:
    assert text_at('a: &x {k: 1}\nb: {"<<": c}\n', "b", "<<") == "c"


def test_all_duplicate_keys_are_found() -> None:
    document = document_of("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n")
    assert [(each.code, each.source.line, each.source.column) for each in document.problems] == [
        ("duplicate-key", 2, 11),
        ("duplicate-key", 3, 1),
        ("duplicate-key", 4, 1),
    ]
    assert "first on line 1" in document.problems[1].message
    assert text_at("a: 1\na: 2\n", "a") == "1"


@pytest.mark.parametrize("loader", LOADERS)
def test_an_alias_counts_as_all_that_it_repeats(loader: Loader) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    bomb = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *levels])
    assert refusal_of(bomb, loader).code == "too-large"


def test_aliases_cannot_nest_deeper_than_brackets_can() -> None:
    levels = [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 2)]
    assert refusal_of("\n".join(["a0: &a0 [x]", *levels])).code == "too-deep"


def test_the_number_of_values_is_bounded() -> None:
    fits = (MAX_NODES - 3) * "x, "
    assert len(child(document_of(f"a: [{fits}]").root, "a").items) == MAX_NODES - 3  # type: ignore[union-attr]  # a list, as written
    assert refusal_of(f"a: [{fits} y]").code == "too-large"


@pytest.mark.parametrize(
    ("text", "column", "tag"),
    [
        ("a: !!python/object/apply:os.system [id]\n", 4, "!!python/object/apply:os.system"),
        ("a: !!str 1\n", 4, "!!str"),
        ("a: &x !local 1\n", 7, "!local"),
        ("a: ! 1\n", 4, "!"),
        ("!!map {a: 1}\n", 1, "!!map"),
    ],
)
def test_tags_are_refused(text: str, column: int, tag: str) -> None:
    (problem,) = document_of(text).problems
    assert (problem.code, problem.source.column, problem.length) == ("tag", column, len(tag))
