"""Entries of an allowlist that allowed nothing of what was observed."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from corsproxy.config.learning.observations import Observation
from corsproxy.core.origins import OriginPattern
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.routing import find_route
from corsproxy.core.source import Source


class Entry(NamedTuple):
    """An entry that no observed call needed."""

    kind: str
    """origin, method, header or host."""
    value: str
    at: Source


class Unused(NamedTuple):
    """What was found."""

    entries: tuple[Entry, ...]
    """In the order of the file."""
    unjudged: tuple[str, ...]
    """Keys of the file whose entries the observations tell nothing about."""


def unused(policy: Policy, observations: Iterable[Observation], hosts: Collection[str]) -> Unused:
    """Return the entries that allowed none of the calls; `hosts` are the names in the Host of what
    was let in, complete once the observations are.

    Calls are matched to entries anew, so that lines which moved since do not matter. Methods
    and headers show in preflights alone: where no preflight was observed, they are not judged.
    """
    used = _Used()
    for each in observations:
        if not each.refused:
            used.note(policy, each)
    all_rules = [
        rules
        for rules in (policy.default_cors, *(route.cors for route in policy.routes))
        if isinstance(rules, CorsRules)
    ]
    found = {entry: None for rules in all_rules for entry in used.rest(rules)}
    for name in policy.allowed_hosts - set(hosts):
        found[Entry("host", name, policy.allowed_hosts_source)] = None
    return Unused(
        tuple(sorted(found, key=lambda entry: (entry.at[1:], entry.value))),
        tuple(_unjudged(all_rules, used.preflights)),
    )


def _unjudged(all_rules: Iterable[CorsRules], preflights: bool) -> Iterator[str]:
    found: dict[str, bool] = {}
    for rules in all_rules:
        if not preflights:
            found |= {
                key: True
                for key, listed in (
                    ("allow_methods", rules.methods),
                    ("allow_headers", rules.request_headers),
                )
                if listed.source.line and listed.source != rules.source
            }
        if rules.expose_headers.names or rules.expose_headers.any:
            found["expose_headers"] = True
        if rules.credentials:
            found["allow_credentials"] = True
    yield from found


class _Used:
    """What was used, and which lists were gone through."""

    def __init__(self) -> None:
        self.preflights = False
        self._origins: set[OriginPattern] = set()
        self._names: set[tuple[Source, str]] = set()
        self._judged: set[int] = set()
        """The identities of lists of origins: many routes share one."""

    def note(self, policy: Policy, each: Observation) -> None:
        """Note what a call that was let in needs."""
        route = find_route(policy, each.call.target.encode("utf-8", "replace"))
        rules = None if route is None else route.cors
        if not isinstance(rules, CorsRules):
            return
        pattern = rules.origins.match(each.call.origin.encode("utf-8"))
        if pattern is None:
            return
        self._origins.add(pattern)
        self.preflights = self.preflights or each.call.needs_preflight
        self._names.add((rules.methods.source, each.call.method))
        self._names.update((rules.request_headers.source, name) for name in each.call.headers)

    def rest(self, rules: CorsRules) -> Iterator[Entry]:
        """Yield the entries that were not used."""
        if id(rules.origins) not in self._judged:
            self._judged.add(id(rules.origins))
            for pattern in (*rules.origins, *rules.origins.expired):
                if pattern not in self._origins:
                    yield Entry("origin", pattern.text, pattern.source)
        if not self.preflights:
            return
        for kind, listed in (("method", rules.methods), ("header", rules.request_headers)):
            written = listed.source.line and listed.source != rules.source
            for name in listed.names if written else ():
                if (listed.source, name) not in self._names:
                    yield Entry(kind, name, listed.source)
