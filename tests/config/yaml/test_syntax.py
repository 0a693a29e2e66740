"""Explaining a parser's error. Most cases are in broken/yaml-*.txt."""

import pytest

from corsproxy.config.problems import ConfigError, fixed_line
from corsproxy.config.yaml.document import Loader
from tests.config.broken_files import Case, each_case
from tests.config.trees import LOADERS, document_of, refusal_of


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


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: \x07\n", 2, 4),
        ("a: 1\r\nb: \x7f\n", 2, 4),
        ("a: \ud7ff\ue000\ufdd0\U0010fffd\nb: \ufffe\n", 2, 4),
        ("# \x1b\n", 1, 3),
    ],
)
def test_a_character_is_refused_where_it_is(text: str, line: int, column: int) -> None:
    problem = refusal_of(text)
    assert (problem.code, problem.source[1:]) == ("unprintable-character", (line, column))


def test_invisible_characters_inside_of_a_line_are_for_the_reader_of_its_key() -> None:
    assert document_of("a: b\u00a0c # \u200b\n").problems == ()


def test_the_suggested_line_has_no_invisible_character_left() -> None:
    text = "a:\n \u00a0\u00a0\u200bb:\u00a0c  # d\n"
    with pytest.raises(ConfigError) as caught:
        document_of(text)
    assert fixed_line(caught.value.problems[0]) == "   b: c  # d"


def test_very_long_lines_keep_the_parsers_message() -> None:
    problem = refusal_of(f"a: [{'x' * 3000} {{b: c}} d]\n")
    assert problem.code == "yaml-syntax"


@pytest.mark.parametrize("loader", LOADERS)
def test_unknown_errors_keep_the_parsers_message(loader: Loader) -> None:
    problem = refusal_of("a: 'b\n---\nc'\n", loader)
    assert problem.code == "yaml-syntax"
    assert "document" in problem.message
