"""Whether a refused call would be allowed now: its row then offers no edit."""

from corsproxy.core.advice.remedies import MENDABLE
from corsproxy.core.guard import check_host
from corsproxy.core.outcome.outcome import Word
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.capture import Policies
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import outcome_of
from corsproxy.shell.admin.inspector.why import explained, page_call_of

_MOST_KNOWN = 1000


class Mended:
    """Asks each policy once for all rows of the same call."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._known: dict[tuple[int, PageCall, bytes], bool] = {}

    def __call__(self, row: Row) -> bool:
        """Return whether the policy that decided stopped the row's call, and the one in force
        would let it through."""
        then, now = row.main.generation, self._policies.generation
        if then == now or not was_stopped(row):
            return False
        call, host = page_call_of(row), row.main.value(b"host") or b""
        if call is None:
            return False
        passed = self._passes(then, call, host)
        if passed is None:  # the verdict is all that is left of that policy
            verdict = row.main.verdict
            passed = verdict is None or verdict.code not in MENDABLE
        return not passed and self._passes(now, call, host) is True

    def _passes(self, generation: int, call: PageCall, host: bytes) -> bool | None:
        """Whether that policy lets the page read the response; None if the policy is no longer
        kept."""
        known = self._known.get((generation, call, host))
        if known is None:
            policy = self._policies.decided_by(generation)
            if policy is None:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = _passes(policy, call, host)
            self._known[generation, call, host] = known
        return known


def was_stopped(row: Row) -> bool:
    """Whether this proxy refused the call, or the browser kept the response from the page."""
    exchange = row.main
    outcome = outcome_of(exchange)
    is_refused = exchange.verdict is not None and not exchange.verdict.allowed
    return is_refused or (outcome is not None and outcome.word is Word.BLOCKED)


def _passes(policy: Policy, call: PageCall, host: bytes) -> bool:
    if check_host(policy, [host], 1) is not None:
        return False
    told = explained(policy, call)
    return told is None or (told.allowed and told.remedy is None)
