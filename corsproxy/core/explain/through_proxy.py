"""The outcome of a call through the proxy, as far as it can be told without making it.

What was asked of the upstream went there directly; its status and the target of a redirect are
what the proxy would get, too, and the grant is ours.
"""

from corsproxy.core.explain.explanation import Explanation
from corsproxy.core.explain.without_proxy import WithoutProxy
from corsproxy.core.outcome.outcome import Word
from corsproxy.core.outcome.redirect import destination
from corsproxy.core.verdicts import Code


def through_proxy(explanation: Explanation, alone: WithoutProxy | None) -> Word:
    """Return what the page would get; `alone` is what the upstream answered."""
    if explanation.verdict.code is Code.PASSTHROUGH:
        allowed = None if alone is None else alone.allowed
        return Word.UNKNOWN if allowed is None else Word.READABLE if allowed else Word.BLOCKED
    if not explanation.allowed:
        return Word.BLOCKED
    asked = [] if alone is None else [each for each in alone.asked if each.what != "preflight"]
    if not asked:
        # It was not sent, because it may change something, or nobody answered.
        return Word.UNKNOWN
    if asked[-1].location is None or alone is None or alone.url is None:
        return Word.READABLE
    own = alone.url.partition("://")
    origin = f"{own[0]}://{own[2].partition('/')[0]}".encode()
    target = destination(origin, asked[-1].location)
    return Word.READABLE if target is not None and target.origin == origin else Word.LEAVES
