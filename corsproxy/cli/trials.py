"""The results of `corsproxy test`: each expectation and each look-alike.

For a file, the results come from `decide`, and nothing is sent. For a deployment, they are what
a browser would make of its responses.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corsproxy.cli.files import read, read_bytes
from corsproxy.config.expectations import Case, Suite, read_expectations
from corsproxy.config.problems import escape
from corsproxy.core.explain.explanation import explain
from corsproxy.core.explain.live import Judgement, lacks_vary
from corsproxy.core.origins.look_alikes import LookAlike, look_alikes, sample
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.verdicts import FACTS, Code

# No deployment has this path: its response is an error, or a page served for all paths.
_NO_SUCH_PATH = "/corsproxy-test-of-an-error"


class CaseTrial(NamedTuple):
    """The result of an expectation."""

    case: Case
    file: str
    got: str
    """The code; for a deployment, `allowed`, `refused` or `not-judged`."""
    at: str | None
    passed: bool
    why: str
    """Why it failed, in lines; empty if it passed."""

    @property
    def failure(self) -> str:
        """What was found instead of what was expected, with the rule that decided."""
        place = "" if self.at is None else f" at {self.at}"
        return f"expected {self.case.expected}, got {self.got}{place}"


class Finding(NamedTuple):
    """A fault in a deployment's responses that no case asks about."""

    code: str
    """`missing-vary` or `error-without-grant`."""
    request: str
    origin: str
    message: str


class Trials(NamedTuple):
    """All results."""

    cases: tuple[CaseTrial, ...]
    look_alikes: tuple[LookAlike, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        return (
            not self.findings
            and all(each.passed for each in self.cases)
            and not any(each.is_allowed for each in self.look_alikes)
        )


class Subject(NamedTuple):
    """A file of expectations with the allowlist file that it is about."""

    name: str
    suite: Suite
    config: str
    """The allowlist file, relative to the working directory."""

    def policy(self, day: str | None = None) -> Policy:
        """Return its policy for a day, today by default. Raises ConfigError and Failure."""
        return read(read_bytes(self.config), self.config, day=day).policy


def read_subject(name: str) -> Subject:
    """Read a file of expectations. Raises ConfigError if it is broken, Failure if unreadable."""
    suite = read_expectations(read_bytes(name), name, os.environ)
    return Subject(name, suite, os.path.normpath(os.path.join(os.path.dirname(name), suite.config)))


def run_offline(subject: Subject) -> Trials:
    """Test the file itself. Raises ConfigError and Failure."""
    policies: dict[str | None, Policy] = {None: subject.policy()}
    for case in subject.suite.cases:
        if case.day not in policies:
            policies[case.day] = subject.policy(case.day)
    return Trials(
        tuple(_try_case(subject, case, policies[case.day]) for case in subject.suite.cases),
        tuple(_try_look_alikes(policies[None])),
    )


def _try_case(subject: Subject, case: Case, policy: Policy) -> CaseTrial:
    explanation = explain(policy, case.call)
    verdict = explanation.verdict
    passed = case.expected.is_met_by(verdict)
    at = None if verdict.at is None else str(verdict.at)
    why = "" if passed else explanation.text()
    return CaseTrial(case, subject.name, str(verdict.code), at, passed, why)


def _try_look_alikes(policy: Policy) -> Iterator[LookAlike]:
    for rules in _rules_by_path(policy).values():
        yield from look_alikes(rules.origins)


def _rules_by_path(policy: Policy) -> dict[str, CorsRules]:
    """Return each list of origins once, by a path that it decides about."""
    found: dict[str, CorsRules] = {}
    seen: set[int] = set()
    for route in policy.routes:
        if isinstance(route.cors, CorsRules) and id(route.cors.origins) not in seen:
            seen.add(id(route.cors.origins))
            found[route.path.decode("ascii")] = route.cors
    return found


# Live deployments.


class LivePlan(NamedTuple):
    """The calls to make to a deployment, and their purpose."""

    cases: tuple[Case, ...]
    look_alikes: tuple[tuple[PageCall, LookAlike], ...]
    errors: tuple[PageCall, ...]
    """Calls of allowed pages to a path that does not exist."""

    @property
    def calls(self) -> list[PageCall]:
        return [
            *(case.call for case in self.cases),
            *(call for call, _ in self.look_alikes),
            *self.errors,
        ]


def live_plan(subject: Subject) -> LivePlan:
    """Plan the calls. Raises ConfigError and Failure."""
    by_path = _rules_by_path(subject.policy())
    alike = [
        (PageCall(each.origin, path), each)
        for path, rules in by_path.items()
        for each in look_alikes(rules.origins)
    ]
    errors = [
        PageCall(sample(pattern), path.rstrip("/") + _NO_SUCH_PATH)
        for path, rules in by_path.items()
        for pattern in rules.origins.patterns[:1]
        if not pattern.is_any and not pattern.is_null
    ]
    return LivePlan(subject.suite.cases, tuple(alike), tuple(errors))


def judge_answers(subject: Subject, plan: LivePlan, answers: Sequence[Judgement]) -> Trials:
    """Judge a deployment by its responses to the calls of the plan."""
    cases, alike = len(plan.cases), len(plan.look_alikes)
    errors = answers[cases + alike :]
    found = [
        Finding(
            "error-without-grant",
            call.target,
            call.origin,
            f"the response {answer.status} has no grant: the page cannot read the error",
        )
        for call, answer in zip(plan.errors, errors, strict=True)
        if not answer.allowed
    ]
    calls = plan.calls
    return Trials(
        tuple(_judge_case(subject, case, answers[i]) for i, case in enumerate(plan.cases)),
        tuple(
            each._replace(is_allowed=answers[cases + i].allowed)
            for i, (_, each) in enumerate(plan.look_alikes)
        ),
        (*found, *_missing_vary(calls, answers)),
    )


def _judge_case(subject: Subject, case: Case, answer: Judgement) -> CaseTrial:
    got = "allowed" if answer.allowed else "refused"
    what = case.expected.what
    wanted = _result_of_code(what) if isinstance(what, Code) else what
    if wanted == "forwarded" or case.day is not None:
        # The file does not say what the upstream allows, and a deployment cannot change its date.
        return CaseTrial(case, subject.name, "not-judged", None, True, "")
    passed = got == wanted
    why = "" if passed else _because(answer)
    return CaseTrial(case, subject.name, got, None, passed, why)


def _result_of_code(code: Code) -> str:
    if code in (Code.PASSTHROUGH, Code.ORIGIN_FORWARDED):
        return "forwarded"
    return "refused" if FACTS[code].browser_error or FACTS[code].status >= 400 else "allowed"


def _because(answer: Judgement) -> str:
    if answer.obstacle is None:
        return f"the answer to the {answer.by} ({answer.status}) lets the page read it"
    error, sentence = answer.obstacle.error, answer.obstacle.sentence
    return f"{error}: the answer to the {answer.by} ({answer.status}): {escape(sentence)}"


def _missing_vary(calls: Sequence[PageCall], answers: Sequence[Judgement]) -> Iterator[Finding]:
    """Yield each path whose grant depends on the origin, without `Vary: Origin`."""
    by_request: dict[tuple[str, str], dict[str, Judgement]] = {}
    for call, answer in zip(calls, answers, strict=True):
        if answer.by != "preflight":
            by_request.setdefault((answer.by, call.target), {})[call.origin] = answer
    for (method, target), found in by_request.items():
        first_origin, first = next(iter(found.items()))
        for origin, answer in found.items():
            lacking = lacks_vary(first, answer)
            if lacking is not None:
                page = first_origin if lacking is first else origin
                message = "the grant depends on the origin, but there is no `Vary: Origin`"
                yield Finding("missing-vary", f"{method} {target}", page, message)
                break
