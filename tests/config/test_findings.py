"""What is found in a file, kept in order."""

from corsproxy.config.findings import Findings, Value
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.yaml.nodes import Scalar
from corsproxy.core.source import Source
from tests.config.trees import child, document_of

DOCUMENT = document_of("a: one\nb: [two, three]\nc: '${NAME} x'\nd:\ne: f\n  g\n")


def node(*path: str | int) -> Scalar:
    found = child(DOCUMENT.root, *path)
    assert isinstance(found, Scalar)
    return found


def findings(**environ: str) -> Findings:
    return Findings(DOCUMENT.source, environ)


def test_problems_are_in_file_order_and_once_each() -> None:
    found = findings()
    found.error("y", node("b", 1), "second")
    found.warning("x", node("a"), "first")
    found.error("y", node("b", 1), "second")
    assert [problem.message for problem in found.problems] == ["first", "second"]
    assert (found.count, found.errors) == (2, 1)


def test_warnings_are_not_errors() -> None:
    found = findings()
    found.warning("x", node("a"), "first")
    assert found.errors == 0


def test_a_source_remembers_what_it_underlines() -> None:
    found = findings()
    source = found.source(node("b", 1))
    found.at("error", "x", source, "later")
    (problem,) = found.problems
    assert (problem.source, problem.length) == (("f.yaml", 2, 10), len("three"))


def test_a_source_outside_of_the_file_has_no_line() -> None:
    found = findings()
    found.at("error", "x", Source("--flag"), "elsewhere", "help")
    (problem,) = found.problems
    assert (problem.source, problem.line_text, problem.help) == (("--flag", 0, 0), "", "help")


def test_a_mistake_underlines_the_part_that_is_wrong() -> None:
    found = findings()
    mistake = BadValueError("bad", "no", part="NAME")
    found.mistake(Value(node("c"), node("c").text, False), mistake, "c")
    (problem,) = found.problems
    assert (problem.source[1:], problem.length, problem.message) == ((3, 7), 4, "`c`: no")


def test_a_suggestion_replaces_the_whole_value() -> None:
    found = findings()
    mistake = BadValueError("bad", "no", suggestion="*")
    found.mistake(Value(node("a"), "one", True), mistake, "a")
    (problem,) = found.problems
    assert (problem.length, problem.fix) == (3, '"*"')


def test_a_value_is_filled_in() -> None:
    found = findings(NAME="val")
    value = found.value(node("c"), "c", secret=True)
    assert value is not None
    assert (value.text, value.plain, value.literal) == ("val x", True, False)
    assert found.secrets == {"val"}


def test_an_invalid_value_is_reported() -> None:
    found = findings()
    assert found.value(child(DOCUMENT.root, "b"), "b") is None
    assert found.value(node("c"), "c") is None
    assert found.value(node("d"), "d") is None
    assert found.value(node("e"), "e") is None
    assert [problem.code for problem in found.problems] == [
        "wrong-type",
        "unset-variable",
        "missing-value",
        "value-runs-on",
    ]
