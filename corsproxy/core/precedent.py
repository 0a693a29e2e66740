"""Decisions that are followed: what a connection asks is mostly what it has asked before.

A page calls the same API again and again, and from one call to the next the target changes
at most. What `decide` has found out about a method and a field section holds for every
target of the same route; what a target alone can do wrong is asked each time.
"""

from corsproxy.core.exchange import Decision, Forward, decide
from corsproxy.core.fields import serialize_fields
from corsproxy.core.guard import check_target
from corsproxy.core.messages import Framing, RequestHead, UpstreamRequest
from corsproxy.core.policy import Policy, Route
from corsproxy.core.problems import Answer
from corsproxy.core.routing import Target, find_route, parse_target, upstream_target
from corsproxy.core.verdicts import Kind


class Precedent:
    """What was decided last about requests that have one method, one field section and no
    content, and come over one connection."""

    __slots__ = ("_decision", "_policy", "_request", "_section")

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._request: RequestHead | None = None
        self._decision: Decision | None = None
        self._section = b""  # the upstream's field section; empty until it is needed again

    def decide(self, policy: Policy, request: RequestHead) -> Decision:
        """Return what `exchange.decide` says, found in a shorter way where there is one.

        Requests whose `fields` are the same object have the same bytes in it; others may
        come, and are decided by themselves.
        """
        decision = self._follow(policy, request)
        if decision is None:
            decision = decide(policy, request)
            self._policy, self._request, self._decision = policy, request, decision
            self._section = b""
        return decision

    def _follow(self, policy: Policy, request: RequestHead) -> Decision | None:
        first, decision = self._request, self._decision
        if (
            first is None
            or policy is not self._policy
            or request.fields is not first.fields
            or request.method != first.method
        ):
            return None
        target = parse_target(request.target)
        if target is None or not _is_plain(policy, target, request.target):
            return None
        route = find_route(policy, target.path)
        if route is None:
            return None
        if isinstance(decision, Forward):
            return self._forward(decision, request, route, target)
        return decision if decision is not None and _holds_for(route, decision) else None

    def _forward(
        self, first: Forward, request: RequestHead, route: Route, target: Target
    ) -> Forward | None:
        asked = first.request
        if route is not first.route or asked.framing is not Framing.NONE or asked.upgrade:
            return None
        self._section = section = self._section or serialize_fields(asked.fields)
        path = upstream_target(route, target)
        return Forward(
            first.policy,
            route,
            UpstreamRequest(
                asked.method, path, asked.fields, Framing.NONE, asked.repeatable, False, section
            ),
            first.verdict,
            request,
            first.grant,
            first.error_grant,
            first.authority,
            first.secure,
        )


def _is_plain(policy: Policy, target: Target, received: bytes) -> bool:
    """Whether it is a path, and nothing is to be said against it."""
    return (
        received.startswith(b"/")
        and len(received) <= policy.limits.target
        and check_target(target, received, ()) is None
    )


def _holds_for(route: Route, answer: Answer) -> bool:
    """Whether it is a preflight's answer, which is the same for all of a route."""
    verdict = answer.verdict
    return verdict.kind is Kind.PREFLIGHT and verdict.allowed and verdict.route == route.name
