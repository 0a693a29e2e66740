"""What one policy allows that another does not: the meaning of two files, not their text.

Only what some call could notice is a difference. An entry that another one covers is not, nor is
a method added to a list that lets no page in. Paths are compared piece by piece, each with the
route that takes it before and the one that takes it after.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from corsproxy.core.origins import OriginPattern, OriginSet
from corsproxy.core.origins.coverage import covers, widest
from corsproxy.core.policy import CorsRules, Listed, Policy, Route
from corsproxy.core.routing import find_route
from corsproxy.core.source import Source

Kind = Literal[
    "origin", "method", "header", "credentials", "expose", "host", "cors", "unlisted_origins",
    "max_age", "upstream", "request_headers", "response_headers",
]  # fmt: skip

_NO_ORIGINS = OriginSet(())

_WIDER: frozenset[Kind] = frozenset(
    {"origin", "method", "header", "credentials", "expose", "host", "cors", "unlisted_origins"}
)


class Difference(NamedTuple):
    """One thing that only one of two policies allows or does."""

    change: Literal["allowed", "no-longer-allowed"]
    route: str | None
    """The route's name, the newer one first; None for what is not a route's."""
    kind: Kind
    value: str
    at: Source
    """Where it is written: in the new file what is allowed now, in the old one the rest."""

    @property
    def is_wider(self) -> bool:
        """Whether pages may do, read or reach more than before because of it."""
        return self.change == "allowed" and self.kind in _WIDER


def differences(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """Return what `new` allows that `old` did not, and the other way round, by path."""
    found: list[Difference] = []
    lists: _Lists = {}
    for path in sorted({*old.routes_by_path, *new.routes_by_path}):
        before, after = find_route(old, path), find_route(new, path)
        route = after or before
        name = None if route is None else route.name
        found += _one_way("allowed", name, before, after, lists)
        found += _one_way("no-longer-allowed", name, after, before, lists)
    found += _hosts("allowed", old, new)
    found += _hosts("no-longer-allowed", new, old)
    # A route that was split in two is compared twice.
    return tuple(dict.fromkeys(found))


Change = Literal["allowed", "no-longer-allowed"]


_Lists = dict[tuple[int, int], tuple[OriginPattern, ...]]
"""What one list of origins has more than another, by their identities: many routes share one."""


def _one_way(
    change: Change, name: str | None, without: Route | None, having: Route | None, lists: _Lists
) -> Iterator[Difference]:
    """Yield what `having` allows or does for a path, and `without` does not."""
    if having is None:
        return
    for kind, value, at in _more(without, having, lists):
        yield Difference(change, name, kind, value, at)


_Found = tuple[Kind, str, Source]


def _more(without: Route | None, having: Route, lists: _Lists) -> Iterator[_Found]:
    rules, other = having.cors, None if without is None else without.cors
    if not isinstance(rules, CorsRules):
        if other != "passthrough":
            yield "cors", "passthrough", having.source
    elif other != "passthrough":
        # The file does not tell what the upstream itself allows.
        yield from _more_in_rules(other, rules, lists)
    if without is not None:
        yield from _done_otherwise(without, having)


def _more_in_rules(other: CorsRules | None, rules: CorsRules, lists: _Lists) -> Iterator[_Found]:
    origins = _NO_ORIGINS if other is None else other.origins
    pair = id(rules.origins), id(origins)
    if pair not in lists:
        lists[pair] = tuple(_uncovered(rules.origins, origins))
    for pattern in lists[pair]:
        yield "origin", pattern.text, pattern.source
    if other is not None and rules.unlisted_origins == "forward" != other.unlisted_origins:
        yield "unlisted_origins", "forward", rules.source
    if other is None or not rules.origins.patterns:
        # Whatever the lists say, it is said of the origins above, or lets no page in.
        return
    methods = _names(rules.methods, rules.allowed_methods, other.allowed_methods)
    for name in methods:
        yield "method", name, rules.methods.source
    for name in _more_headers(rules, other):
        yield "header", name, rules.request_headers.source
    for name in _more_listed(rules.expose_headers, other.expose_headers):
        yield "expose", name, rules.expose_headers.source
    if rules.credentials and not other.credentials:
        yield "credentials", "true", rules.credentials_source
    if rules.max_age != other.max_age:
        age = "none" if rules.max_age is None else str(rules.max_age)
        yield "max_age", age, rules.source


def _uncovered(origins: OriginSet, others: OriginSet) -> Iterator[OriginPattern]:
    """Yield the entries that allow what none of the others does, except those under a wider one."""
    # What covers an entry that is not covered is not covered either.
    uncovered = OriginSet(each for each in origins if not covers(others, each))
    return widest(uncovered)


def _names(listed: Listed, allowed: frozenset[bytes], others: frozenset[bytes]) -> Iterable[str]:
    more = allowed - others
    if more and listed.any:
        return ("*",)
    return sorted(name.decode("ascii") for name in more)


def _more_headers(rules: CorsRules, other: CorsRules) -> Iterable[str]:
    if other.request_headers.any:
        return ()
    if rules.request_headers.any:
        return ("*",)
    return _names(
        rules.request_headers, rules.allowed_request_headers, other.allowed_request_headers
    )


def _more_listed(listed: Listed, other: Listed) -> Iterable[str]:
    if other.any:
        return ()
    return ("*",) if listed.any else sorted(set(listed.names) - set(other.names))


def _done_otherwise(without: Route, having: Route) -> Iterator[_Found]:
    """What is done to a request or a response, and is neither wider nor narrower."""
    if str(having.upstream) != str(without.upstream):
        yield "upstream", str(having.upstream), having.source
    pick: tuple[tuple[Kind, Callable[[Route], frozenset[str]]], ...] = (
        ("request_headers", lambda route: _header_rules(route, "request_headers")),
        ("response_headers", lambda route: _header_rules(route, "response_headers")),
    )
    for kind, rules in pick:
        for value in sorted(rules(having) - rules(without)):
            yield kind, value.partition("\n")[0], having.source


def _header_rules(
    route: Route, key: Literal["request_headers", "response_headers"]
) -> frozenset[str]:
    """Return each rule as a text; a field's value follows a line break and must not be shown."""
    rules = getattr(route, key)
    fields = (f"set {name.decode()}\n{value!r}" for name, value in rules.set)
    return frozenset((*fields, *(f"remove {name.decode()}" for name in rules.remove)))


def _hosts(change: Change, without: Policy, having: Policy) -> Iterator[Difference]:
    if without.any_host:
        return
    names = ["*"] if having.any_host else sorted(having.allowed_hosts - without.allowed_hosts)
    for name in names:
        yield Difference(change, None, "host", name, having.allowed_hosts_source)
