"""A verdict, spelt out."""

from dataclasses import replace

import pytest

from corsproxy.core.explain.steps import Step, steps_of
from corsproxy.core.page_call import PageCall
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import PAGE, listed, policy, route, rules

RULES = rules(methods=listed("GET", "PUT"), request_headers=listed("x-a", line=10))
POLICY = policy(route(b"/api", RULES))
ALLOWED = Verdict(Kind.ACTUAL, Code.ORIGIN_ALLOWED, True, "api")
QUESTION = PageCall(PAGE, "/api/x", "PUT", ("X-A", "X-B"))


def steps(verdict: Verdict, call: PageCall = QUESTION, detail: str = "") -> list[Step]:
    return steps_of(POLICY, RULES, call, verdict, detail)


def test_everything_that_passed_has_its_place() -> None:
    assert [(step.passed, step.text, str(step.at)) for step in steps(ALLOWED)] == [
        (True, "path /api/x: taken by route api (/api)", "corsproxy.yaml:1:1"),
        (True, f"origin {PAGE}: allowed by {PAGE}", "corsproxy.yaml:3:7"),
        (True, "method PUT: allowed by allow_methods [GET, PUT]", "corsproxy.yaml:9:18"),
        (True, "header x-a: allowed by allow_headers [x-a]", "corsproxy.yaml:10:18"),
        (True, "header x-b: allowed by allow_headers [x-a]", "corsproxy.yaml:10:18"),
    ]


@pytest.mark.parametrize(
    ("verdict", "last"),
    [
        (
            ALLOWED.replace(code=Code.METHOD_NOT_ALLOWED, allowed=False),
            "method PUT: not in allow_methods [GET, PUT]",
        ),
        (
            ALLOWED.replace(code=Code.HEADER_NOT_ALLOWED, allowed=False, subject="x-b"),
            "header x-b: not in allow_headers [x-a]",
        ),
    ],
)
def test_a_refusal_is_the_last_step(verdict: Verdict, last: str) -> None:
    found = steps(verdict)
    assert [step.passed for step in found] == [True] * (len(found) - 1) + [False]
    assert found[-1].text == last


def test_an_origin_that_nothing_matches_ends_the_steps_at_the_list() -> None:
    verdict = ALLOWED.replace(code=Code.ORIGIN_NOT_ALLOWED, allowed=False)
    last = steps(verdict, QUESTION._replace(origin="https://b.test"))[-1]
    assert (last.passed, str(last.at)) == (False, "corsproxy.yaml:3:5")


@pytest.mark.parametrize(
    ("detail", "text"), [("It has a dot segment.", "It has a dot segment"), ("", None)]
)
def test_refusals_without_a_rule_quote_the_answer(detail: str, text: str | None) -> None:
    verdict = ALLOWED.replace(code=Code.BAD_TARGET, allowed=False)
    last = steps(verdict, detail=detail)[-1]
    assert (last.passed, last.text) == (False, text or verdict.facts.title)


def test_every_name_is_shown_as_the_file_has_it() -> None:
    everything = replace(RULES, methods=listed("*"))
    found = steps_of(POLICY, everything, QUESTION, ALLOWED, "")
    assert found[2].text == 'method PUT: allowed by allow_methods ["*"]'
