"""Entries of an allowlist that allowed nothing of what was observed."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from corsproxy.config.learning.observations import Observation
from corsproxy.core.origins import OriginPattern
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.routing import find_route
from corsproxy.core.source import Source


class Unused(NamedTuple):
    """An entry that no observed call needed."""

    kind: str
    """origin, method or header."""
    value: str
    at: Source


def unused(policy: Policy, observations: Iterable[Observation]) -> Iterator[Unused]:
    """Yield the entries that allowed none of the calls, in the order of the file.

    Calls are matched to entries anew, so that lines which moved since do not matter. Methods
    and headers show in preflights alone: where no preflight was observed, they are not judged.
    """
    origins: set[OriginPattern] = set()
    names: set[tuple[Source, str]] = set()
    preflights = False
    for each in observations:
        rules = _rules(policy, each)
        pattern = None if rules is None else rules.origins.match(each.call.origin.encode("utf-8"))
        if rules is None or pattern is None or each.refused:
            continue
        origins.add(pattern)
        preflights = preflights or each.call.needs_preflight
        names.add((rules.methods.source, each.call.method))
        names.update((rules.request_headers.source, name) for name in each.call.headers)
    judged: set[int] = set()
    found = {
        entry: None
        for rules in (policy.default_cors, *(route.cors for route in policy.routes))
        if isinstance(rules, CorsRules)
        for entry in _entries(rules, origins, names, judged, preflights=preflights)
    }
    yield from sorted(found, key=lambda entry: entry.at[1:])


def _rules(policy: Policy, observation: Observation) -> CorsRules | None:
    route = find_route(policy, observation.call.target.encode("utf-8", "replace"))
    return route.cors if route is not None and isinstance(route.cors, CorsRules) else None


def _entries(
    rules: CorsRules,
    origins: set[OriginPattern],
    names: set[tuple[Source, str]],
    judged: set[int],
    *,
    preflights: bool,
) -> Iterator[Unused]:
    """`judged` are the identities of the lists of origins that were gone through: many routes
    share one."""
    shared = id(rules.origins) in judged
    judged.add(id(rules.origins))
    for pattern in () if shared else rules.origins:
        if pattern not in origins:
            yield Unused("origin", pattern.text, pattern.source)
    if not preflights:
        return
    for kind, listed in (("method", rules.methods), ("header", rules.request_headers)):
        written = listed.source.line and listed.source != rules.source
        for name in listed.names if written else ():
            if (listed.source, name) not in names:
                yield Unused(kind, name, listed.source)
