"""How problems are shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.problems import (
    ConfigError,
    Problem,
    Severity,
    as_github,
    as_json,
    escape,
    fixed_line,
    render,
)
from corsproxy.core.source import Source

SEVERITIES: tuple[Severity, ...] = ("error", "warning")

UNKNOWN = Problem(
    "error",
    "unknown-key",
    "unknown key `allow_orgins` in `cors`",
    Source("corsproxy.yaml", 7, 7),
    12,
    "did you mean `allow_origins`?",
    "      allow_orgins:",
    "allow_origins",
)


def test_text_points_at_the_place_with_a_caret() -> None:
    assert render(UNKNOWN) == (
        "error: unknown key `allow_orgins` in `cors`\n"
        " --> corsproxy.yaml:7:7\n"
        "  |\n"
        "7 |       allow_orgins:\n"
        "  |       ^^^^^^^^^^^^\n"
        "  = help: did you mean `allow_origins`?\n"
        "7 +       allow_origins:"
    )


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    problem = UNKNOWN._replace(source=Source("corsproxy.yaml", 120, 7), fix=None, help="")
    assert render(problem).split("\n")[1:] == [
        "   --> corsproxy.yaml:120:7",
        "    |",
        "120 |       allow_orgins:",
        "    |       ^^^^^^^^^^^^",
    ]


def test_a_flag_has_no_line() -> None:
    source = Source("--allow-origin")
    problem = Problem("error", "origin-path", "an origin has no path", source, 5, "", "x://y")
    assert render(problem) == (
        "error: an origin has no path\n--> --allow-origin\n |\n | x://y\n | ^^^^^"
    )


def test_a_problem_without_a_line_is_two_lines() -> None:
    problem = Problem("error", "empty-file", "the file is empty", Source("a.yaml", 1, 1))
    assert render(problem) == "error: the file is empty\n --> a.yaml:1:1"


def test_color_is_only_where_it_is_wanted() -> None:
    assert "\x1b[" not in render(UNKNOWN)
    colored = render(UNKNOWN, color=True)
    assert colored.startswith("\x1b[1;31merror\x1b[0m")
    assert render(UNKNOWN._replace(severity="warning"), color=True).startswith("\x1b[1;33mwarning")


@pytest.mark.parametrize(
    ("line", "column", "length", "under"),
    [
        ("名前: x", 5, 1, "      ^"),
        ("a: 名前", 4, 2, "   ^^^^"),
        ("e\u0301: x", 5, 1, "   ^"),
        ("\tx", 2, 1, " ^"),
        ("a\x07b", 3, 1, "     ^"),
    ],
)
def test_the_caret_stands_under_what_a_terminal_shows(
    line: str, column: int, length: int, under: str
) -> None:
    problem = Problem("error", "x", "x", Source("f", 1, column), length, "", line)
    shown = render(problem).split("\n")[4]
    assert shown.removeprefix("  | ") == under


def test_a_long_line_is_cut_around_the_caret() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    problem = Problem("error", "x", "x", Source("f", 1, 5001), 4, "", line)
    shown, carets = render(problem).split("\n")[3:5]
    assert len(shown) < 140
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert shown.startswith("1 | …")
    assert shown.endswith("…")


def test_nothing_reaches_the_terminal_as_a_control_sequence() -> None:
    evil = "\x1b]0;owned\x07\u202e\x9b31m"
    problem = Problem("error", "x", evil, Source(evil, 1, 1), 3, evil, evil, evil)
    for text in (render(problem), str(ConfigError([problem]))):
        assert all(character.isprintable() or character == "\n" for character in text)
    assert escape("a\x1bb\u202e") == "a\\x1bb\\u202e"


def test_json_is_flat() -> None:
    assert json.loads(json.dumps(as_json(UNKNOWN))) == {
        "severity": "error",
        "code": "unknown-key",
        "message": "unknown key `allow_orgins` in `cors`",
        "help": "did you mean `allow_origins`?",
        "file": "corsproxy.yaml",
        "line": 7,
        "column": 7,
        "length": 12,
        "fix": "allow_origins",
    }


def test_github_shows_it_beside_the_line() -> None:
    assert as_github(UNKNOWN) == (
        "::error file=corsproxy.yaml,line=7,col=7,endColumn=19,title=unknown-key"
        "::unknown key `allow_orgins` in `cors`%0Ahelp: did you mean `allow_origins`?"
    )


def test_github_properties_are_escaped() -> None:
    problem = Problem("warning", "x", "50%\nnext::", Source("a,b:c%.yaml", 1, 1))
    assert as_github(problem) == (
        "::warning file=a%2Cb%3Ac%25.yaml,line=1,col=1,endColumn=2,title=x::50%25\\x0anext::"
    )


def test_the_fix_replaces_what_is_underlined() -> None:
    assert fixed_line(UNKNOWN) == "      allow_origins:"
    assert fixed_line(UNKNOWN._replace(fix="")) == "      :"
    assert fixed_line(UNKNOWN._replace(fix=None)) is None


def test_the_error_shows_all_its_problems() -> None:
    other = UNKNOWN._replace(message="another")
    error = ConfigError(iter([UNKNOWN, other]))
    assert error.problems == (UNKNOWN, other)
    assert str(error) == f"{render(UNKNOWN)}\n\n{render(other)}"


texts = st.text(max_size=300)


@given(
    severity=st.sampled_from(SEVERITIES),
    message=texts,
    line=st.text(st.characters(exclude_characters="\r\n"), max_size=300),
    column=st.integers(-3, 400),
    length=st.integers(-3, 400),
    number=st.integers(0, 10**6),
    fix=st.none() | texts,
)
def test_every_problem_can_be_shown(
    severity: Severity,
    message: str,
    line: str,
    column: int,
    length: int,
    number: int,
    fix: str | None,
) -> None:
    source = Source(message, number, column)
    problem = Problem(severity, "x", message, source, length, message, line, fix)
    assert all(part.isprintable() for part in render(problem).split("\n"))
    assert render(problem, color=True)
    assert as_github(problem).isprintable()
    assert json.dumps(as_json(problem))


def test_sentences_fit_the_terminal_where_there_is_one() -> None:
    long = UNKNOWN._replace(message="what is wrong " * 12, help="what to do " * 12)
    shown = render(long, width=80)
    assert max(map(len, shown.split("\n"))) <= 80
    assert shown.split() == render(long).split()
    wide = UNKNOWN._replace(line_text=f"      allow_orgins: {'x' * 90}", fix=None)
    assert max(map(len, render(wide, width=80).split("\n"))) <= 80
    assert render(UNKNOWN, width=80) == render(UNKNOWN)
