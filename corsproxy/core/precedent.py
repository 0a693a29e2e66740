"""Decisions that are followed: what a connection asks is mostly what it has asked before.

A page calls the same API again and again, and from one call to the next the target changes
at most. What `decide` has found out about a method and a field section holds for every
target of the same route; what a target alone can do wrong is asked each time.
"""

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Decision, Forward, decide
from corsproxy.core.fields import serialize_fields
from corsproxy.core.guard import check_target
from corsproxy.core.messages import Framing, RequestHead, UpstreamRequest
from corsproxy.core.policy import Policy, Route
from corsproxy.core.routing import Target, find_route, is_ambiguous, parse_target, upstream_target
from corsproxy.core.verdicts import Code, Kind


class Precedent:
    """What was decided last about requests that have one method, one field section and no
    content, and come over one connection."""

    __slots__ = ("_decision", "_policy", "_request")

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._request: RequestHead | None = None
        self._decision: Decision | None = None

    def decide(self, policy: Policy, request: RequestHead) -> Decision:
        """Return what `exchange.decide` says, found in a shorter way where there is one.

        Requests whose `fields` are the same object have the same bytes in it; others may
        come, and are decided by themselves.
        """
        decision = self._follow(policy, request)
        if decision is None:
            decision = decide(policy, request)
        self._policy, self._request, self._decision = policy, request, decision
        return decision

    def _follow(self, policy: Policy, request: RequestHead) -> Decision | None:
        last, decision = self._request, self._decision
        if (
            last is None
            or decision is None
            or policy is not self._policy
            or request.fields is not last.fields
            or request.method != last.method
        ):
            return None
        if request.target == last.target and (
            isinstance(decision, Answer) or decision.request.section is not None
        ):
            return decision
        target = parse_target(request.target)
        if target is None or not _is_plain(policy, target, request.target):
            return None
        route = find_route(policy, target.path)
        if route is None or is_ambiguous(policy, target.path, route):
            return None
        if isinstance(decision, Answer):
            return decision if _holds_for(route, decision) else None
        return _forward(decision, request, route, target)


def _forward(last: Forward, request: RequestHead, route: Route, target: Target) -> Forward | None:
    """Follow a request that is nothing but a head, and asks for no other protocol."""
    asked = last.request
    if route is not last.route or asked.framing is not Framing.NONE or asked.upgrade:
        return None
    section = asked.section
    if section is None:
        section = serialize_fields(asked.fields)
    path = upstream_target(route, target)
    return Forward(
        last.policy,
        route,
        UpstreamRequest(
            asked.method,
            path,
            asked.fields,
            Framing.NONE,
            asked.repeatable,
            False,
            section,
            asked.authenticates_connection,
        ),
        last.verdict,
        request,
        last.grant,
        last.error_grant,
        last.authority,
        last.secure,
        last.outlook,
    )


def _is_plain(policy: Policy, target: Target, received: bytes) -> bool:
    """Whether it is a path, and nothing is to be said against it."""
    return (
        received.startswith(b"/")
        and len(received) <= policy.limits.target
        and check_target(target, received, ()) is None
    )


def _holds_for(route: Route, answer: Answer) -> bool:
    """Whether it is a preflight's grant, which is the same for all of a route."""
    verdict = answer.verdict
    is_granted = verdict.kind is Kind.PREFLIGHT and verdict.code is Code.ORIGIN_ALLOWED
    return is_granted and verdict.route == route.name
