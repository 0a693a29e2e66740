"""Lists of texts. Refused values are in broken/types.txt."""

import pytest

from corsproxy.config.findings import Findings
from corsproxy.config.listings import read_listing
from corsproxy.config.problems import Problem
from tests.config.broken_files import problems_of
from tests.config.trees import child, document_of


def listed(text: str) -> tuple[list[str], tuple[Problem, ...]]:
    document = document_of(f"a: {text}\n")
    findings = Findings(document.source, {"ONE": "one", "TWO": "one, two"})
    found = read_listing(findings, child(document.root, "a"), "a")
    return ([] if found is None else [value.text for value in found.values]), findings.problems


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("one", ["one"]), ("[one, two]", ["one", "two"]), ("[]", []),
        ("\n- one\n- 'two'", ["one", "two"]), ("[1, true]", ["1", "true"]), ("${ONE}", ["one"]),
        ('"*"', ["*"]), ('"https://x .y"', ["https://x .y"]),
    ],
)  # fmt: skip
def test_a_list_is_its_texts(text: str, values: list[str]) -> None:
    assert listed(text) == (values, ())


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        ("a, b", "several-entries", "[a, b]"),
        ("GET POST", "several-entries", "[GET, POST]"),
        ("['http://a, http://b']", "several-entries", "http://a, http://b"),
        ("\n- a,b", "several-entries", None),
        ("${TWO}", "several-entries", None),
        ("[one, null]", "missing-value", '"null"'),
        ("[one, ~]", "missing-value", None),
        ("\n- one\n-", "missing-value", None),
        ("{one: two}", "wrong-type", None),
        ("\n- localhost: 3000", "wrong-type", "localhost:3000"),
        ("\n- origin: http://a", "wrong-type", "http://a"),
        ("\n- {a: b, c: d}", "wrong-type", None),
        ("[[one]]", "wrong-type", None),
        ("\n  -one", "missing-space", "- one"),
    ],
)
def test_other_values_than_lists_of_texts_are_refused(
    text: str, code: str, fix: str | None
) -> None:
    (problem,) = listed(text)[1]
    assert (problem.code, problem.fix) == (code, fix)


def test_entries_without_problems_are_kept() -> None:
    values, problems = listed("[one, null, two]")
    assert values == ["one", "two"]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("key", "entry", "message"),
    [
        ("origins", "{http://a.test: 2099-01-31}", "this entry is a mapping without `origin`"),
        ("origins", "{a: b, c: d}", "this entry is a mapping without `origin`"),
        ("origins", "http://a.test:", "this entry is a mapping, not a text"),
        ("origins", "localhost: 3000", "this entry is a mapping, not a text"),
        ("methods", "{a: b, c: d}", "this entry is a mapping, not a text"),
    ],
)
def test_an_entry_that_may_be_a_mapping_is_told_what_it_lacks(
    key: str, entry: str, message: str
) -> None:
    text = f"upstream: http://a\ncors:\n  allow_{key}:\n    - {entry}\n"
    messages = [problem.message for problem in problems_of(text)]
    assert f"`cors.allow_{key}`: {message}" in messages
