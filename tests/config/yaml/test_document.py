"""YAML text to a tree: positions, and files that are refused as a whole."""

import pytest

from corsproxy.config.yaml.compose import MAX_DEPTH
from corsproxy.config.yaml.document import Loader
from tests.config.trees import LOADERS, child, document_of, refusal_of, text_at

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
        # libyaml has a limit of its own, which it may reach before it gives us anything.
        ("a: 1\nb: " + "[" * 1001, "too-deep", 2, 3 + MAX_DEPTH),
        ("[" * 900 + "]" * 900, "too-deep", 1, MAX_DEPTH + 1),
        ("".join(" " * level + "a:\n" for level in range(1100)), "too-deep", 65, 65),
        ("a: 1\na: 2\nb: " + "[" * 100_000, "too-deep", 3, 3 + MAX_DEPTH),
    ],
)
def test_other_documents_are_refused(
    loader: Loader, text: str, code: str, line: int, column: int
) -> None:
    problem = refusal_of(text, loader)
    assert (problem.code, problem.source) == (code, ("f.yaml", line, column))
