"""The outcome of a call through the proxy, as far as it is known without making the call.

The upstream was asked directly. The proxy would get the same status and the same redirect, and
would add its own grant.
"""

from corsproxy.core.explain.explanation import Explanation
from corsproxy.core.explain.without_proxy import Asked, WithoutProxy
from corsproxy.core.outcome.outcome import Word
from corsproxy.core.outcome.redirect import destination
from corsproxy.core.verdicts import Code


def words_through_proxy(explanation: Explanation, alone: WithoutProxy) -> str:
    """Return what the page would get, and why, for people."""
    word = through_proxy(explanation, alone)
    if explanation.verdict.code is Code.PASSTHROUGH or word is Word.BLOCKED:
        return word
    asked = _calls(alone)
    method = explanation.call.normalized_method
    if word is Word.UNKNOWN and alone.asked:
        return f"{word}. It depends on the answer to the {method}, which was not sent."
    if word is Word.UNKNOWN:
        return f"{word}. It depends on the upstream, which was not asked."
    answered = f"The upstream answered the {method} with {asked[-1].status}"
    if word is Word.LEAVES:
        location = (asked[-1].location or b"").decode("latin-1")
        return f"{word}. {answered}, a redirect that leads past the proxy: {location}"
    return f"{word}. {answered}, and the proxy adds the grant."


def _calls(alone: WithoutProxy | None) -> list[Asked]:
    return [] if alone is None else [each for each in alone.asked if each.what != "preflight"]


def through_proxy(explanation: Explanation, alone: WithoutProxy | None) -> Word:
    """Return what the page would get; `alone` is what the upstream answered."""
    if explanation.verdict.code is Code.PASSTHROUGH:
        allowed = None if alone is None else alone.allowed
        return Word.UNKNOWN if allowed is None else Word.READABLE if allowed else Word.BLOCKED
    if not explanation.allowed:
        return Word.BLOCKED
    asked = _calls(alone)
    if not asked:
        # It was not sent, because it may change something, or there was no answer.
        return Word.UNKNOWN
    if asked[-1].location is None or alone is None or alone.url is None:
        return Word.READABLE
    own = alone.url.partition("://")
    origin = f"{own[0]}://{own[2].partition('/')[0]}".encode()
    target = destination(origin, asked[-1].location)
    return Word.READABLE if target is not None and target.origin == origin else Word.LEAVES
