"""What one policy allows that another does not: the meaning of two files, not their text.

Only what some call could notice is a difference, now or on a later day. An entry that another one
covers for as long as it lasts is not, nor is a method added to a list that lets no page in. Paths
are compared piece by piece, each with the route that takes it before and the one that takes it
after.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from corsproxy.core.origins import OriginPattern, OriginSet
from corsproxy.core.origins.coverage import FOREVER, covered_until, last_day, lasting, widest
from corsproxy.core.policy import CorsRules, HeaderRules, Listed, Policy, Route
from corsproxy.core.routing import find_route
from corsproxy.core.source import Source

Kind = Literal[
    "origin", "until", "method", "header", "credentials", "expose", "host", "cors",
    "unlisted_origins", "max_age", "upstream", "request_headers", "response_headers",
]  # fmt: skip

Change = Literal["allowed", "no-longer-allowed"]

_NO_ORIGINS = OriginSet(())

_WIDER: frozenset[Kind] = frozenset(
    {
        "origin", "until", "method", "header", "credentials", "expose", "host", "cors",
        "unlisted_origins",
    }
)  # fmt: skip


class Difference(NamedTuple):
    """One thing that only one of two policies allows or does."""

    change: Change
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


class _Longer(NamedTuple):
    """An entry that allows something that no entry of another list allows, or no longer does."""

    pattern: OriginPattern
    other: str | None
    """The last day on which the other list allows the same; None if it never does."""

    def found(self, change: Change) -> "_Found":
        text, source = self.pattern.text, self.pattern.source
        if self.other is None:
            return "origin", text, source
        word = "was" if change == "allowed" else "now"
        days = (
            "none" if each == FOREVER else each for each in (last_day(self.pattern), self.other)
        )
        return "until", f"{text}: {f', {word} '.join(days)}", source


_Lists = dict[tuple[int, int], tuple[_Longer, ...]]
"""What one list of origins has more than another, by their identities: many routes share one."""


def _one_way(
    change: Change, name: str | None, without: Route | None, having: Route | None, lists: _Lists
) -> Iterator[Difference]:
    """Yield what `having` allows or does for a path, and `without` does not."""
    if having is None:
        return
    for kind, value, at in _more(change, without, having, lists):
        yield Difference(change, name, kind, value, at)


_Found = tuple[Kind, str, Source]


def _more(change: Change, without: Route | None, having: Route, lists: _Lists) -> Iterator[_Found]:
    rules, other = having.cors, None if without is None else without.cors
    if not isinstance(rules, CorsRules):
        if other != "passthrough":
            yield "cors", "passthrough", having.source
    elif other != "passthrough":
        # The file does not tell what the upstream itself allows.
        yield from _more_origins(change, other, rules, lists)
        if other is not None:
            yield from _more_in_rules(other, rules)
    if without is not None:
        yield from _done_otherwise(without, having)


def _more_origins(
    change: Change, other: CorsRules | None, rules: CorsRules, lists: _Lists
) -> Iterator[_Found]:
    origins = _NO_ORIGINS if other is None else other.origins
    pair = id(rules.origins), id(origins)
    if pair not in lists:
        lists[pair] = tuple(_longer(rules.origins, origins))
    for each in lists[pair]:
        yield each.found(change)


def _more_in_rules(other: CorsRules, rules: CorsRules) -> Iterator[_Found]:
    if rules.unlisted_origins == "forward" != other.unlisted_origins:
        yield "unlisted_origins", "forward", rules.unlisted_origins_source
    if not rules.origins.patterns:
        # Whatever the lists say lets no page in.
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
        yield "max_age", age, rules.max_age_source


def _longer(origins: OriginSet, others: OriginSet) -> Iterator[_Longer]:
    """Yield the entries that allow what none of the others does for as long, except those under a
    wider one that does."""
    others = lasting(others)
    longer = []
    for pattern in origins:
        day = covered_until(others, pattern)
        if day is None or day < last_day(pattern):
            longer.append(_Longer(pattern, day))
    # What covers an entry that is not covered is not covered either.
    shown = {id(pattern) for pattern in widest(each.pattern for each in longer)}
    return (each for each in longer if id(each.pattern) in shown)


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
        yield "upstream", str(having.upstream), having.upstream_source
    pairs: tuple[tuple[Kind, HeaderRules, HeaderRules], ...] = (
        ("request_headers", having.request_headers, without.request_headers),
        ("response_headers", having.response_headers, without.response_headers),
    )
    for kind, rules, others in pairs:
        for value in sorted(_header_rules(rules) - _header_rules(others)):
            yield kind, value.partition("\n")[0], rules.source


def _header_rules(rules: HeaderRules) -> frozenset[str]:
    """Return each rule as a text; a field's value follows a line break and must not be shown."""
    fields = (f"set {name.decode()}\n{value!r}" for name, value in rules.set)
    return frozenset((*fields, *(f"remove {name.decode()}" for name in rules.remove)))


def _hosts(change: Change, without: Policy, having: Policy) -> Iterator[Difference]:
    if without.any_host:
        return
    names = ["*"] if having.any_host else sorted(having.allowed_hosts - without.allowed_hosts)
    for name in names:
        yield Difference(change, None, "host", name, having.allowed_hosts_source)
