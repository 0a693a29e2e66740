"""The rules that a decision tested, one by one, in words and with where they are written.

Nothing is decided here: a verdict is spelled out.
"""

from typing import NamedTuple

from corsproxy.core.methods import CORS_SAFELISTED_METHODS, FORWARDED_METHODS
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import CorsRules, Listed, Policy
from corsproxy.core.routing import find_route, parse_target
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Verdict

_CREDENTIALS_REFUSED = (Code.CREDENTIALS_NOT_ALLOWED, Code.CREDENTIALS_WITH_WILDCARD)


class Step(NamedTuple):
    """One rule, tested."""

    passed: bool
    text: str
    at: Source | None = None


def steps_of(
    policy: Policy, rules: CorsRules, call: PageCall, verdict: Verdict, detail: str
) -> list[Step]:
    """Return what was tested on the way to `verdict`.

    A refusal that comes from no rule in the file is the last step, in the words of the
    answer, which are in `detail`.
    """
    steps = _steps(policy, rules, call, verdict)
    if not verdict.allowed and all(step.passed for step in steps):
        steps.append(Step(False, detail.rstrip(".") or verdict.facts.title, verdict.at))
    return steps


def _steps(policy: Policy, rules: CorsRules, call: PageCall, verdict: Verdict) -> list[Step]:
    target = parse_target(call.target.encode("ascii"))
    route = None if target is None else find_route(policy, target.path)
    if route is None:
        steps = [Step(False, f"path {call.target}: no route takes it")]
    else:
        path = route.path.decode("ascii")
        name = path if route.name == path else f"{route.name} ({path})"
        steps = [Step(True, f"path {call.target}: taken by route {name}", route.source)]
    if verdict.code in (Code.PASSTHROUGH, Code.SAME_ORIGIN):
        return [*steps, Step(True, verdict.facts.title, verdict.at)]
    pattern = rules.origins.match(call.origin.encode("utf-8"))
    expired = rules.origins.match_expired(call.origin.encode("utf-8"))
    if pattern is None and expired is not None:
        reason = f" ({expired.reason})" if expired.reason else ""
        text = f"origin {call.origin}: {expired.text}{reason} expired after {expired.until}"
        return [*steps, Step(False, text, expired.source)]
    if pattern is None:
        text = f"origin {call.origin}: no entry of allow_origins matches"
        return [*steps, Step(False, text, rules.origins.source)]
    until = f" until {pattern.until}" if pattern.until else ""
    text = f"origin {call.origin}: allowed by {pattern.text}{until}"
    steps.append(Step(True, text, pattern.source))
    if call.credentials:
        refused = verdict.code in _CREDENTIALS_REFUSED
        at = verdict.at if refused else rules.credentials_source
        steps.append(Step(not refused, f"credentials: {'not ' * refused}allowed", at))
        if refused:
            return steps
    if call.needs_preflight:
        steps += _preflight_steps(rules, call, verdict)
    return steps


def _preflight_steps(rules: CorsRules, call: PageCall, verdict: Verdict) -> list[Step]:
    method = call.normalized_method
    refused = verdict.code is Code.METHOD_NOT_ALLOWED
    word = "not in" if refused else "allowed by"
    text = f"method {method}: {word} allow_methods {_shown(rules.methods)}"
    if method in CORS_SAFELISTED_METHODS:
        text = f"method {method}: always allowed"
    elif method not in FORWARDED_METHODS:
        text = f"method {method}: none that this proxy forwards"
    steps = [Step(not refused, text, rules.methods.source)]
    if refused:
        return steps
    for name in call.asked_headers:
        refused = verdict.code is Code.HEADER_NOT_ALLOWED and name in verdict.subject.split(", ")
        word = "not in" if refused else "allowed by"
        text = f"header {name}: {word} allow_headers {_shown(rules.request_headers)}"
        steps.append(Step(not refused, text, rules.request_headers.source))
        if refused:
            break
    return steps


def _shown(listed: Listed) -> str:
    return '["*"]' if listed.any else f"[{', '.join(listed.names)}]"
