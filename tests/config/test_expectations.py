"""Files of expectations: what is read, and where each mistake is."""

import pytest

from corsproxy.config.expectations import (
    FILE_OF_EXPECTATIONS,
    Case,
    Expectation,
    read_expectations,
)
from corsproxy.config.problems import ConfigError
from corsproxy.core.page_call import PageCall
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict

NAME = "corsproxy.test.yaml"
PAGE = "https://app.example.com"


def cases(*lines: str) -> tuple[Case, ...]:
    text = "\n".join(["config: corsproxy.yaml", "cases:", *(f"  {line}" for line in lines)])
    return read_expectations(text.encode(), NAME, {"HOST": "app.example.com"}).cases


def test_a_case_is_a_call_and_what_is_expected() -> None:
    [case] = cases(
        "- name: the shop may save",
        "  origin: https://${HOST}",
        "  request: PUT /shop/cart",
        "  headers: [content-type, x-request-id]",
        "  credentials: true",
        "  at: 2027-01-31",
        "  expect: {code: method-not-allowed, at: corsproxy.yaml:11}",
    )
    headers = ("content-type", "x-request-id")
    assert case == Case(
        "the shop may save",
        PageCall(PAGE, "/shop/cart", "PUT", headers, True),
        "2027-01-31",
        Expectation(Code.METHOD_NOT_ALLOWED, "corsproxy.yaml:11"),
        Source(NAME, 3, 5),
    )


def test_lists_multiply() -> None:
    found = cases(
        f'- origin: [{PAGE}, "null"]',
        "  request: [/a, PUT /b, DELETE /b]",
        "  headers: [[], [x-a], [x-a, x-b]]",
        "  expect: refused",
    )
    assert len(found) == 2 * 3 * 3
    assert found[0].name == f"GET /a from {PAGE}"
    assert found[-1].call == PageCall("null", "/b", "DELETE", ("x-a", "x-b"))


@pytest.mark.parametrize(
    ("lines", "places"),
    [
        (("- {request: GET /, expect: allowed}",), ["3:5 missing-key"]),
        ((f"- {{origin: {PAGE}, expect: allowed}}",), ["3:5 missing-key"]),
        ((f"- {{origin: {PAGE}, request: GET /}}",), ["3:5 missing-key"]),
        (
            ("- origin: https://app.example.com/", "  request: GET x", "  expect: maybe"),
            ["3:13 bad-call", "4:14 bad-call", "5:13 unknown-code"],
        ),
        (
            (f"- origin: {PAGE}", "  request: TRACE /", "  headers: [cookie]", "  expect: allowed"),
            ["4:14 bad-call", "5:15 bad-call"],
        ),
        (
            (f"- orign: {PAGE}", "  request: GET /", "  at: tomorrow", "  expect: allowed"),
            ["3:5 unknown-key", "5:9 bad-date"],
        ),
        ((f"- {{origin: {PAGE}, request: /, expect: [allowed]}}",), ["3:59 wrong-type"]),
        (
            ("- origin: []", "  request: [ ]", "  expect: allowed"),
            ["3:13 empty-list", "4:14 empty-list"],
        ),
        (
            (f"- {{origin: {PAGE}, request: [GETX, POST http://a/], expect: refused}}",),
            ["3:49 bad-call", "3:55 bad-call"],
        ),
        (("- just a text",), ["3:5 wrong-type"]),
        (("origin: x",), ["3:3 wrong-type"]),
    ],
)
def test_every_mistake_has_its_place(lines: tuple[str, ...], places: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        cases(*lines)
    found = refused.value.problems
    assert [f"{p.source.line}:{p.source.column} {p.code}" for p in found] == places
    assert all(problem.help for problem in found)


AT = Source("deploy/corsproxy.yaml", 11, 18)
REFUSED = Verdict(Kind.PREFLIGHT, Code.METHOD_NOT_ALLOWED, False, "/", AT, "PUT")


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        (Expectation("refused"), True),
        (Expectation("allowed"), False),
        (Expectation("forwarded"), False),
        (Expectation(Code.METHOD_NOT_ALLOWED), True),
        (Expectation(Code.HEADER_NOT_ALLOWED), False),
        (Expectation("refused", "corsproxy.yaml:11"), True),
        (Expectation("refused", "deploy/corsproxy.yaml:11:18"), True),
        (Expectation("refused", "corsproxy.yaml:1"), False),
        (Expectation("refused", "corsproxy.yaml:11:1"), False),
        (Expectation("refused", "other.yaml:11"), False),
    ],
)
def test_an_expectation_is_met_by_its_result_at_its_place(expected: Expectation, met: bool) -> None:
    assert expected.is_met_by(REFUSED) is met


@pytest.mark.parametrize("code", [Code.PASSTHROUGH, Code.ORIGIN_FORWARDED])
def test_passthrough_results_are_forwarded(code: Code) -> None:
    allowed = code is Code.PASSTHROUGH
    assert Expectation("forwarded").is_met_by(REFUSED.replace(code=code, allowed=allowed))
    assert not Expectation("allowed").is_met_by(REFUSED.replace(code=code, allowed=allowed))


@pytest.mark.parametrize("content", [b"- origin: https://app.example.com\n", b"", b"text\n"])
def test_another_kind_of_file_is_told_what_one_of_expectations_holds(content: bytes) -> None:
    with pytest.raises(ConfigError) as refused:
        read_expectations(content, NAME, {})
    assert [problem.help for problem in refused.value.problems] == [FILE_OF_EXPECTATIONS]
