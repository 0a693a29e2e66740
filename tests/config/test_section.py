"""Keys of a mapping. Refused values are in broken/types.txt."""

import pytest

from corsproxy.config.findings import Findings
from corsproxy.config.section import Section
from tests.config.trees import document_of


def section_of(text: str) -> Section:
    document = document_of(text)
    return Section(Findings(document.source, {"TRUE": "true"}), document.root, "cors", "cors")


def codes(section: Section) -> list[str]:
    return [problem.code for problem in section.findings.problems]


def test_a_key_is_written_meant_or_lacking() -> None:
    section = section_of("max_age:\norigins: [a]\n")
    assert (section.has("max_age"), section.lacks("max_age")) == (True, False)
    assert (section.has("allow_origins"), section.lacks("allow_origins")) == (False, False)
    assert section.lacks("allow_methods")
    assert section.meant["allow_origins"].key.text == "origins"
    assert section.where("max_age") == "cors.max_age"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("FALSE", False),
        ("${TRUE}", True), ('"${TRUE}"', True),
    ],
)  # fmt: skip
def test_booleans_are_those_of_yaml_1_2(text: str, expected: bool) -> None:
    section = section_of(f"allow_credentials: {text}\n")
    assert section.flag("allow_credentials", not expected) is expected
    assert codes(section) == []


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "1", "0", '"true"', "tRUE", "y", "~x"])
def test_other_values_are_not_booleans(text: str) -> None:
    section = section_of(f"allow_credentials: {text}\n")
    assert section.flag("allow_credentials", True) is True
    assert codes(section) == ["wrong-type"]


def test_a_key_without_a_value_has_its_default() -> None:
    section = section_of("max_age:\nallow_credentials: null\n")
    assert section.flag("allow_credentials", True)
    assert section.duration("max_age", 7.0) == 7.0
    assert codes(section) == ["missing-value", "missing-value"]


def test_a_comment_in_place_of_a_value_is_named() -> None:
    section = section_of("max_age: #10m\n")
    assert section.get("max_age") is None
    assert "comment" in section.findings.problems[0].help


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("128", 128), ("9007199254740992", 9007199254740992)]
)
def test_counts_are_whole_numbers(text: str, number: int) -> None:
    section = section_of(f"max_age: {text}\n")
    assert section.count("max_age", 0) == number


@pytest.mark.parametrize("text", ["0", "010", "1.0", "-1", "1e3", "0x1", "1" * 17, "a", '"1"'])
def test_other_values_are_not_counts(text: str) -> None:
    section = section_of(f"max_age: {text}\n")
    assert section.count("max_age", 5) == 5
    assert len(codes(section)) == 1


def test_many_unknown_keys_get_no_guesses() -> None:
    section = section_of("".join(f"allow_origin{number}: 1\n" for number in range(300)))
    problems = section.findings.problems
    assert len(problems) == 300
    assert problems[0].help
    assert not problems[-1].help


@pytest.mark.parametrize(
    ("text", "help", "fix"),
    [
        ("origins: [a]\n", "did you mean `allow_origins`?", "allow_origins"),
        (
            "origins: {a: b}\n",
            "did you mean `allow_origins`? Its value cannot be a mapping",
            None,
        ),
        ("origin: a\n", "did you mean `allow_origins`?", "allow_origins"),
    ],
)
def test_a_guess_says_whether_the_value_fits(text: str, help: str, fix: str | None) -> None:
    section = section_of(text)
    (problem,) = section.findings.problems
    assert (problem.help, problem.fix) == (help, fix)
    key = next(iter(section.meant))
    assert not section.lacks(key)
    assert (section.get(key) is None) is (fix is None)
