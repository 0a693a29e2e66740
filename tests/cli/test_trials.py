"""The questions to a deployment, and what its responses mean."""

from pathlib import Path

import pytest

from corsproxy.cli.trials import Subject, judge_answers, live_plan, read_subject, run_offline
from corsproxy.core.browser import Obstacle
from corsproxy.core.explain.live import Judgement
from corsproxy.core.origins.look_alikes import LookAlike

PAGE = "https://app.example.com"
CONFIG = f"""\
cors: {{allow_origins: [{PAGE}]}}
routes:
  - {{path: /, upstream: "http://a.test"}}
  - {{path: /own, upstream: "http://a.test", cors: {{allow_origins: ["null", "http://b.test"]}}}}
  - {{path: /open, upstream: "http://a.test", cors: {{allow_origins: ["*"]}}}}
  - {{path: /through, upstream: "http://a.test", cors: passthrough}}
"""
ALLOWED = Judgement(None, "GET", 200, PAGE, True)
REFUSED = Judgement(Obstacle("MissingAllowOriginHeader", "it has none"), "GET", 200, None, True)


def case(request: str, expect: str) -> str:
    return f'  - {{origin: "{PAGE}", request: {request}, expect: {expect}}}\n'


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "corsproxy.yaml").write_text(CONFIG)
    cases = case("/", "allowed") + case("/own", "refused") + case("/through", "forwarded")
    file = tmp_path / "corsproxy.test.yaml"
    file.write_text(f"cases:\n{cases}")
    return read_subject(str(file))


def test_the_file_itself_is_as_expected(subject: Subject) -> None:
    trials = run_offline(subject)
    assert trials.passed
    assert [each.got for each in trials.cases] == [
        "origin-allowed",
        "origin-not-allowed",
        "passthrough",
    ]


def test_each_list_is_tested_at_its_own_path(subject: Subject) -> None:
    plan = live_plan(subject)
    assert {call.target for call, _ in plan.look_alikes} == {"/", "/own"}
    assert [call.target for call in plan.errors] == ["/corsproxy-test-of-an-error"]


def answers_to(subject: Subject, *cases: Judgement) -> list[Judgement]:
    """The answers of a right deployment, but for those to the cases."""
    plan = live_plan(subject)
    return [*cases, *(REFUSED for _ in plan.look_alikes), *(ALLOWED for _ in plan.errors)]


def test_right_answers_pass(subject: Subject) -> None:
    answers = answers_to(subject, ALLOWED, REFUSED, REFUSED)
    trials = judge_answers(subject, live_plan(subject), answers)
    assert trials.passed
    assert [each.got for each in trials.cases] == ["allowed", "refused", "not-judged"]


def test_too_much_and_too_little_access_are_found(subject: Subject) -> None:
    answers = answers_to(subject, REFUSED, ALLOWED, REFUSED)
    answers[3], answers[-1] = ALLOWED, REFUSED
    trials = judge_answers(subject, live_plan(subject), answers)
    assert [each.passed for each in trials.cases] == [False, False, True]
    assert "MissingAllowOriginHeader" in trials.cases[0].why
    [alike] = [each for each in trials.look_alikes if each.is_allowed]
    assert alike == LookAlike(alike.entry, "suffix", f"{PAGE}.evil.example", True)
    assert [finding.code for finding in trials.findings] == ["error-without-grant"]


def test_a_grant_that_caches_may_mix_up_is_found(subject: Subject) -> None:
    answers = answers_to(subject, ALLOWED._replace(varies=False), REFUSED, REFUSED)
    trials = judge_answers(subject, live_plan(subject), answers)
    assert [(each.code, each.request) for each in trials.findings] == [("missing-vary", "GET /")]
