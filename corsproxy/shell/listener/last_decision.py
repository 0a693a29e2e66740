"""The last decision about a connection's requests, for as long as they repeat.

A client that polls sends one head again and again, and the reader of heads then returns the same
object. A decision depends on nothing but the policy and the request, so it is the same, too.
"""

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, decide
from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Policy


class LastDecision:
    """Decides about the requests of one connection."""

    __slots__ = ("_decision", "_policy", "_request")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Keep nothing alive of a policy that is no longer in force."""
        self._policy: Policy | None = None
        self._request: RequestHead | None = None
        self._decision: Answer | Forward | None = None

    def decide(self, policy: Policy, request: RequestHead) -> Answer | Forward:
        """Return what `core.decision.decide` returns, which is asked only about a request that is
        not the last one, or not under the same policy."""
        decision = self._decision
        if decision is None or request is not self._request or policy is not self._policy:
            decision = decide(policy, request)
            self._policy, self._request, self._decision = policy, request, decision
        return decision
