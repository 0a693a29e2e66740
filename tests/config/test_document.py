"""YAML text to a tree: positions, anchors, merges, and what is refused as a whole."""

import pytest
import yaml

from corsproxy.config.compose import MAX_DEPTH, MAX_NODES
from corsproxy.config.document import LOADER, Document, Loader, read_document
from corsproxy.config.nodes import Mapping, Node, Scalar, Sequence, is_null, kind_of
from corsproxy.config.problems import ConfigError, Problem
from tests.config.test_broken import Case, each_case

LOADERS: list[Loader] = [yaml.SafeLoader, LOADER]


def document_of(text: str, loader: Loader = LOADER) -> Document:
    return read_document(text, "f.yaml", loader)


def refusal_of(text: str | bytes, loader: Loader = LOADER) -> Problem:
    with pytest.raises(ConfigError) as refused:
        read_document(text, "f.yaml", loader)
    return refused.value.problems[-1]


def child(node: Node, *path: str | int) -> Node:
    """Return the node at a path of keys and indices."""
    for step in path:
        if isinstance(step, int):
            assert isinstance(node, Sequence)
            node = node.items[step]
        else:
            assert isinstance(node, Mapping)
            (node,) = (entry.value for entry in node.entries if entry.key.text == step)
    return node


def text_at(text: str, *path: str | int) -> str:
    node = child(document_of(text).root, *path)
    assert isinstance(node, Scalar)
    return node.text


PLACES = """\
# a comment
a: one
b:
  - two
  - 'three'
c: [four, "fi
  ve"]
d: {e: six}
f:
- seven
g: &anchor
  h: eight
i: &other nine
k: &list
  - ten
"""


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ((), 2, 1),
        (("a",), 2, 4),
        (("b",), 4, 3),
        (("b", 0), 4, 5),
        (("b", 1), 5, 5),
        (("c",), 6, 4),
        (("c", 0), 6, 5),
        (("c", 1), 6, 11),
        (("d",), 8, 4),
        (("d", "e"), 8, 8),
        (("f",), 10, 1),
        (("f", 0), 10, 3),
        (("g",), 12, 3),
        (("g", "h"), 12, 6),
        (("i",), 13, 11),
        (("k",), 15, 3),
    ],
)
def test_a_node_starts_where_it_is_written(
    loader: Loader, path: tuple[str | int, ...], line: int, column: int
) -> None:
    node = child(document_of(PLACES, loader).root, *path)
    assert node.start[1:] == (line, column)
    lines = PLACES.split("\n")
    assert node.start.offset == sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


@pytest.mark.parametrize("loader", LOADERS)
def test_a_scalar_ends_behind_its_last_character(loader: Loader) -> None:
    document = document_of(PLACES, loader)
    for path, raw in {("a",): "one", ("b", 1): "'three'", ("c", 1): '"fi\n  ve"'}.items():
        assert document.source.raw(child(document.root, *path)) == raw


def test_nothing_is_converted() -> None:
    text = "a: off\nb: 010\nc: 1:30\nd: 0x10\ne: yes\nf: 1_000\ng: 2001-01-01\nh: =\n"
    values = [text_at(text, key) for key in "abcdefgh"]
    assert values == ["off", "010", "1:30", "0x10", "yes", "1_000", "2001-01-01", "="]


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_is_that_of_yaml_1_2(text: str) -> None:
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


@pytest.mark.parametrize(
    "text",
    ["a: 1\n", "a: 1", "\ufeffa: 1\n", "a: 1\r\n", "---\na: 1\n...\n", "%YAML 1.2\n---\na: 1\n"],
)
def test_the_usual_forms_of_a_file_are_read(text: str) -> None:
    assert text_at(text, "a") == "1"


def test_json_is_yaml() -> None:
    assert text_at('{"a": {"b": ["c", "d"]}}', "a", "b", 1) == "d"


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("a: [", "open-bracket", 4),
        ("a: {", "open-bracket", 4),
        ("a: [b,\n\n", "open-bracket", 6),
        ("a: b: c", "colon-in-value", 4),
        ("a: *", "unquoted-asterisk", 4),
        ("a: [b, ]]", "text-after-value", 9),
        (": a", "empty-key", 1),
    ],
)
def test_an_error_of_syntax_is_on_a_line_with_content(
    loader: Loader, text: str, code: str, column: int
) -> None:
    problem = refusal_of(text, loader)
    assert (problem.code, problem.source.column) == (code, column)
    assert problem.line_text.strip()


def test_an_alias_stands_for_what_its_anchor_marks() -> None:
    document = document_of("a: &x [one]\nb: *x\n")
    assert child(document.root, "a") is child(document.root, "b")
    assert document.aliased == {"x"}
    assert child(document.root, "a").anchor == "x"


def test_an_anchor_may_be_set_anew() -> None:
    assert text_at("a: &x one\nb: &x two\nc: *x\n", "c") == "two"


def test_a_merge_takes_over_what_is_not_written() -> None:
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


def test_a_merge_may_take_over_a_merge() -> None:
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
@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "empty-file", 1, 1),
        ("\n\n", "empty-file", 1, 1),
        ("# nothing\n", "empty-file", 1, 1),
        ("---\n", "empty-file", 1, 1),
        ("null\n", "empty-file", 1, 1),
        ("- a\n", "not-a-mapping", 1, 1),
        ("text\n", "not-a-mapping", 1, 1),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        ("a: &x [*x]\n", "recursive-alias", 1, 8),
        ("a: &x\n  b: {c: *x}\n", "recursive-alias", 2, 10),
        ("a: *nobody\n", "unquoted-asterisk", 1, 4),
        ("[a]: 1\n", "bad-key", 1, 1),
        ("{a: 1}: 1\n", "bad-key", 1, 1),
        ("a: 1\nb: \0\n", "unprintable-character", 2, 4),
        ("a: \x1b[31m\n", "unprintable-character", 1, 4),
        ("a: b\u2028c: d\n", "unprintable-character", 1, 5),
        ("a: b\x85c: d\n", "unprintable-character", 1, 5),
        ("a:\n\u00a0 b: c\n", "invisible-indentation", 2, 1),
        ("a:\n \u200bb: c\n", "invisible-indentation", 2, 2),
        ("%YAML 2.0\n---\na: 1\n", "directive", 1, 1),
        ("[" * 100_000, "too-deep", 1, MAX_DEPTH + 1),
        ("{a: " * 100_000, "too-deep", 1, 4 * MAX_DEPTH + 1),
        ("- " * 100_000, "too-deep", 1, 2 * MAX_DEPTH + 1),
    ],
)
def test_what_is_no_such_file_is_refused(
    loader: Loader, text: str, code: str, line: int, column: int
) -> None:
    problem = refusal_of(text, loader)
    assert (problem.code, problem.source) == (code, ("f.yaml", line, column))


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


def refusal_or_none(text: str, loader: Loader) -> tuple[object, ...] | None:
    try:
        document_of(text, loader)
    except ConfigError as error:
        # What no rule explains keeps the words of the parser, which differ.
        return tuple(each._replace(message="") for each in error.problems)
    return None


@each_case
def test_both_parsers_say_the_same(case: Case) -> None:
    pure, fast = (refusal_or_none(case.text, loader) for loader in LOADERS)
    assert pure == fast
