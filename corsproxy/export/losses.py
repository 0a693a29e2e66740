"""What an export loses: a place in the file, and what a browser or an upstream notices."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from corsproxy.core.policy import CorsRules, Policy, Route
from corsproxy.core.routing import Target, upstream_target
from corsproxy.core.source import Source

EVERYWHERE = (
    "refusals are plain text: no Corsproxy-Reason, no JSON, no hint",
    "OPTIONS * and Max-Forwards: 0 are not answered by the proxy itself",
    "a Location outside of redirects, and one that leads back to its own target, is mapped",
    "an upstream that sends requests back here is not detected (508)",
    "the Referer of the proxy's own pages keeps its path, and without an Origin its host",
)
"""The losses of every export to every engine."""

ANY_PORT = 8010
"""Stands for port 0, any free port."""

_UNSET = {
    "trusted_proxies": "X-Forwarded-* of those proxies is dropped like any other's, so an engine"
    " behind another one takes its peer for the client and its own scheme and host for the public"
    " ones",
    "limits": "of the limits, only those of time and of the body are exported",
}


class Loss(NamedTuple):
    """A difference between the engine and the file."""

    source: Source
    words: str

    def __str__(self) -> str:
        return f"{self.source.name}:{self.source.line}: {self.words}"


class Places:
    """The places of the file's keys, for those that the policy does not record."""

    def __init__(self, file: str, found: Mapping[str, Source]) -> None:
        self._file = file
        self._found = found

    def of(self, key: str) -> Source:
        """Return the place of a top-level key, or of a nested one such as `limits.body`."""
        return self._found.get(key, Source(self._file, 1, 1))

    def has(self, key: str) -> bool:
        return key in self._found

    def in_route(self, route: Route, key: str) -> Source:
        """Return the place of a route's key; that of the route if it lacks the key."""
        for path, source in self._found.items():
            if source == route.source and f"{path}.{key}" in self._found:
                return self._found[f"{path}.{key}"]
        return route.source


def policy_losses(policy: Policy, places: Places) -> list[Loss]:
    """Return the losses that every engine has."""
    found = [
        Loss(places.of(key), f"{key}: {words}") for key, words in _UNSET.items() if places.has(key)
    ]
    found += _listener_losses(policy, places)
    for rules in (policy.default_cors, *(route.cors for route in policy.routes)):
        if isinstance(rules, CorsRules):
            found += _dated_losses(rules)
    for route in policy.routes:
        alone = upstream_target(route, Target(b"/", b"", None)) if route.path == b"/" else b""
        if alone == route.upstream.base and alone:
            path = alone.decode("ascii")
            words = (
                f"upstream: a redirect from {path} to {path}/ comes back to itself; corsproxy"
                " leaves it as it came"
            )
            found.append(Loss(places.in_route(route, "upstream"), words))
        if b";" in route.path:
            words = "path: a path that equals it without its parameters is refused, too"
            found.append(Loss(places.in_route(route, "path"), words))
    return found


def _listener_losses(policy: Policy, places: Places) -> list[Loss]:
    found = []
    for address in policy.listen:
        if address.https and policy.listener_tls is None:
            words = f"listen: {address} is left out: its certificate is made when corsproxy runs"
            found.append(Loss(places.of("listen"), words))
        elif not address.port:
            words = f"listen: port 0 means any free port; {ANY_PORT} is exported"
            found.append(Loss(places.of("listen"), words))
    return found


def _dated_losses(rules: CorsRules) -> list[Loss]:
    found = [
        Loss(
            entry.source, f"allow_origins: {entry.text} is left out: its last day was {entry.until}"
        )
        for entry in rules.origins.expired
    ]
    for entry in rules.origins.patterns:
        if entry.until is not None:
            words = f"allow_origins: {entry.text} does not expire by itself: export again after"
            found.append(Loss(entry.source, f"{words} {entry.until}"))
    return found


def field_losses(
    places: Places, route: Route, is_usable: Callable[[bytes, bytes], bool], why: str
) -> list[Loss]:
    """Return the fields of `request_headers` and `response_headers` that cannot be set."""
    rules = {"request_headers": route.request_headers, "response_headers": route.response_headers}
    return [
        Loss(places.in_route(route, key), f"{key}: {name.decode('ascii')} {why}")
        for key, each in rules.items()
        for name, value in each.set
        if not is_usable(name, value)
    ]


def authority_losses(places: Places, route: Route) -> list[Loss]:
    """Return the loss of an engine that trusts either `tls.ca_file` or the system."""
    if route.upstream.scheme != "https" or route.tls.ca_file is None or not route.tls.verify:
        return []
    words = "tls.ca_file: it is the only authority; the system's are not used"
    return [Loss(places.in_route(route, "tls"), words)]


def passthrough_losses(places: Places, route: Route, engine: str) -> list[Loss]:
    """Return the loss of an engine whose own errors carry only the grants of routes."""
    if route.cors != "passthrough":
        return []
    words = f"cors: passthrough: {engine}'s own errors carry no grant"
    return [Loss(places.in_route(route, "cors"), words)]


def exposing_losses(rules: CorsRules) -> list[Loss]:
    """Return the loss of an engine that cannot list the names of a response's fields."""
    if not rules.expose_headers.any or not rules.credentials:
        return []
    words = 'expose_headers: "*": calls with credentials can read the safelisted fields only'
    return [Loss(rules.expose_headers.source, words)]


def in_order(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Return each loss once, in the order of the file."""
    return tuple(sorted(set(losses), key=lambda loss: (loss.source[:3], loss.words)))
