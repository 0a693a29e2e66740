"""A policy that allows more until the proxy stops: where no file could be edited."""

from dataclasses import replace

from corsproxy.config.editing.entries import NewEntry, read_entry
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.source import Source

UNTIL_STOPPED = Source("until stopped")
"""The place of an entry that stands in no file."""


def widened(policy: Policy, *remedies: Remedy) -> Policy:
    """Return the policy that allows what `remedies` name, on every route. Raises ConfigError."""
    for remedy in remedies:
        for value in remedy.values:
            policy = _with_entry(policy, _placed(read_entry(remedy.key, value)))
    return policy


def _placed(entry: NewEntry) -> NewEntry:
    origins = OriginSet([each._replace(source=UNTIL_STOPPED) for each in entry.rules.origins])
    return entry._replace(rules=replace(entry.rules, origins=origins))


def _with_entry(policy: Policy, entry: NewEntry) -> Policy:
    if entry.key == "allowed_hosts":
        return entry.added_to_hosts(policy)
    routes = tuple(
        replace(route, cors=entry.added_to(route.cors))
        if isinstance(route.cors, CorsRules)
        else route
        for route in policy.routes
    )
    return replace(policy, routes=routes, default_cors=entry.added_to(policy.default_cors))
