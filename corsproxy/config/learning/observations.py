"""Calls of pages that were observed: what they asked for, and whether the allowlist let them.

A refused preflight is the only witness of a method and of header names, because the call
behind it is never sent; credentials show only on calls.
"""

from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.core.advice.families import missing_exposed, needs_of
from corsproxy.core.guard import is_origin
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.routing import find_route

MOST_KINDS = 10_000
"""How many different calls are told apart; strangers can make up as many as they like."""


class Observation(NamedTuple):
    """One request of a page, as a log or a browser recorded it."""

    call: PageCall
    refused: bool
    """Whether an entry of the allowlist was missing."""
    when: str
    """When it began, as RFC 3339 has it; empty where that is not known."""
    awaits: bool = False
    """Whether a browser that may go on sends another request to the same path: after a granted
    preflight, and after the first request of socket.io."""
    unfollowed: int = 0
    """Of how many such requests it is the conclusion; 0 for a request itself."""


class Seen(NamedTuple):
    """How often something was seen, and when last."""

    times: int = 0
    last: str = ""
    unfollowed: int = 0
    """How often it was concluded from what did not come."""

    def again(self, when: str, times: int = 1, unfollowed: int = 0) -> "Seen":
        return Seen(self.times + times, max(self.last, when), self.unfollowed + unfollowed)


def text_of(value: object) -> str:
    """Return a text out of JSON; empty for everything else."""
    return value if isinstance(value, str) else ""


def observed_call(
    origin: object, path: object, method: object, headers: object = (), *, credentials: bool = False
) -> PageCall | None:
    """Return the call that untrusted text describes; None where no page could have made it."""
    page, target, verb = text_of(origin), text_of(path).partition("?")[0], text_of(method)
    if not is_origin(page.encode("utf-8", "replace")) or not target.startswith("/") or not verb:
        return None
    names = headers if isinstance(headers, list | tuple) else ()
    known = tuple(sorted({name.lower() for name in names if isinstance(name, str) and name}))
    return PageCall(page, target, verb, known, credentials)


def refused_calls(policy: Policy, observations: Iterable[Observation]) -> dict[PageCall, Seen]:
    """Return each kind of call that was refused, with how often it was seen.

    A call counts as refused, too, where its client cannot read what it needs of the answer. Calls
    of one route are of one kind: their target is the route's path.
    """
    found: dict[PageCall, Seen] = {}
    for each in observations:
        route = find_route(policy, each.call.target.encode("utf-8", "replace"))
        if route is None:
            continue
        if not each.refused and not unreadable(route.cors, each.call):
            continue
        call = each.call._replace(target=route.path.decode("ascii"))
        if call in found or len(found) < MOST_KINDS:
            times = each.unfollowed or 1
            found[call] = found.get(call, Seen()).again(each.when, times, each.unfollowed)
    return found


def unreadable(rules: CorsRules | str, call: PageCall) -> list[str]:
    """Return the response headers that the client needs, to go on, and cannot read."""
    if not isinstance(rules, CorsRules):
        return []
    return missing_exposed(needs_of(call.method, call.asked_headers), rules)
