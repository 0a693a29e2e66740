"""What differs between two policies, in the words of the file.

For the report of a reload: it tells the author of the file what has changed. Values of
header rules are never shown, because they may be secrets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Literal, NamedTuple

from corsproxy.core.origins import OriginPattern, OriginSet
from corsproxy.core.policy import (
    CorsRules,
    HeaderRules,
    Limits,
    Listed,
    Policy,
    Route,
    Timeouts,
    Tls,
)

Sign = Literal["+", "-", "~"]

# If there are more routes than this, they are counted instead of named.
_NAMED_ROUTES = 3


class Change(NamedTuple):
    """One difference."""

    sign: Sign
    what: str
    """`origin http://localhost:5173`, `allow_credentials true (was false)`."""
    where: str = ""
    """`on route shop`; empty if it is not about a route."""
    needs_restart: bool = False
    narrows: bool = False
    """Whether it removes something that browsers may still allow because of a cached preflight."""

    def __str__(self) -> str:
        where = f" {self.where}" if self.where else ""
        restart = ": takes effect at the next start" if self.needs_restart else ""
        return f"{self.sign} {self.what}{where}{restart}"


def changes(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Return how `after` differs from `before`; () if it does not."""
    lists: _Lists = {}
    found = [*_listeners(before, after), *_routes(before, after, lists)]
    seen = {(change.sign, change.what) for change in found}
    found += [
        change._replace(where="by default")
        for change in _cors(before.default_cors, after.default_cors, lists)
        if (change.sign, change.what) not in seen
    ]
    found += _whole(before, after)
    return tuple(found)


def _listeners(before: Policy, after: Policy) -> Iterator[Change]:
    # Texts are compared, because it does not matter where an address is written.
    for key, old, new in (
        ("listen", _texts(before.listen), _texts(after.listen)),
        ("admin", _texts([before.admin or "off"]), _texts([after.admin or "off"])),
    ):
        if old != new:
            yield Change("~", f"{key} {new} (was {old})", needs_restart=True)


def _texts(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _routes(before: Policy, after: Policy, lists: "_Lists") -> Iterator[Change]:
    old, new = before.routes_by_path, after.routes_by_path
    for path in sorted(old.keys() - new.keys()):
        yield Change("-", f"route {old[path].name} at {path.decode()}")
    for path in sorted(new.keys() - old.keys()):
        route = new[path]
        yield Change("+", f"route {route.name} at {path.decode()} to {route.upstream}")
    grouped: dict[Change, list[str]] = {}
    kept = [path for path in new if path in old]
    for path in kept:
        for change in _route(old[path], new[path], lists):
            grouped.setdefault(change, []).append(new[path].name)
    for change, names in grouped.items():
        yield change._replace(where=_on_routes(names, len(kept)))


_Lists = dict[tuple[int, int], tuple[Change, ...]]
"""How two lists of origins differ, by their identities: many routes share one."""


def _on_routes(names: Sequence[str], total: int) -> str:
    if len(names) == 1:
        return f"on route {names[0]}"
    if len(names) == total:
        return "on every route"
    if len(names) > _NAMED_ROUTES:
        return f"on {len(names)} routes"
    return f"on routes {', '.join(names[:-1])} and {names[-1]}"


def _names_of(kind: type[Route | Timeouts | Tls]) -> tuple[str, ...]:
    compared = (field.name for field in fields(kind) if field.compare)
    return tuple(name for name in compared if not name.endswith("source"))


# All fields of a route that are one value, so that no new key is forgotten. Others have parts.
_VALUES = tuple(
    name
    for name in _names_of(Route)
    if name not in ("path", "cors", "request_headers", "response_headers", "timeout", "tls")
)


def _route(before: Route, after: Route, lists: _Lists) -> Iterator[Change]:
    for key in _VALUES:
        yield from _value(key, getattr(before, key), getattr(after, key))
    if isinstance(before.cors, CorsRules) and isinstance(after.cors, CorsRules):
        yield from _cors(before.cors, after.cors, lists)
    elif before.cors != after.cors:
        word = "rules" if isinstance(after.cors, CorsRules) else "passthrough"
        yield Change("~", f"cors {word}", narrows=True)
    yield from _headers("request_headers", before.request_headers, after.request_headers)
    yield from _headers("response_headers", before.response_headers, after.response_headers)
    for key in _names_of(Timeouts):
        old, new = getattr(before.timeout, key), getattr(after.timeout, key)
        yield from _value(f"timeout.{key}", old, new)
    for key in _names_of(Tls):
        yield from _value(f"tls.{key}", getattr(before.tls, key), getattr(after.tls, key))


def _cors(before: CorsRules, after: CorsRules, lists: _Lists) -> Iterator[Change]:
    pair = id(before.origins), id(after.origins)
    if pair not in lists:
        lists[pair] = tuple(_origins(before.origins, after.origins))
    yield from lists[pair]
    yield from _members("method", _names(before.methods), _names(after.methods))
    yield from _members("header", _names(before.request_headers), _names(after.request_headers))
    exposed = _names(before.expose_headers), _names(after.expose_headers)
    yield from _members("exposed header", *exposed)
    for change in _value("allow_credentials", before.credentials, after.credentials):
        yield change._replace(narrows=before.credentials)
    yield from _value("max_age", before.max_age, after.max_age)
    yield from _value("unlisted_origins", before.unlisted_origins, after.unlisted_origins)


def _origins(before: OriginSet, after: OriginSet) -> Iterator[Change]:
    return _members("origin", _dated(before.patterns), _dated(after.patterns))


def _dated(patterns: Sequence[OriginPattern]) -> list[str]:
    return [
        pattern.text if pattern.until is None else f"{pattern} until {pattern.until}"
        for pattern in patterns
    ]


def _names(listed: Listed) -> Sequence[str]:
    return ('"*"',) if listed.any else listed.names


def _members(noun: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    old, new = frozenset(before), frozenset(after)
    for name in after:
        if name not in old:
            yield Change("+", f"{noun} {name}")
    for name in before:
        if name not in new:
            yield Change("-", f"{noun} {name}", narrows=noun != "exposed header")


def _headers(key: str, before: HeaderRules, after: HeaderRules) -> Iterator[Change]:
    old, new = dict(before.set), dict(after.set)
    for name in new:
        if old.get(name) != new[name]:
            yield Change("~" if name in old else "+", f"{key}.set {name.decode()}")
    for name in old:
        if name not in new:
            yield Change("-", f"{key}.set {name.decode()}")
    for name in sorted(after.remove - before.remove):
        yield Change("+", f"{key}.remove {name.decode()}")
    for name in sorted(before.remove - after.remove):
        yield Change("-", f"{key}.remove {name.decode()}")


def _whole(before: Policy, after: Policy) -> Iterator[Change]:
    yield from _members("allowed host", _hosts(before), _hosts(after))
    for field in fields(Limits):
        old, new = getattr(before.limits, field.name), getattr(after.limits, field.name)
        yield from _value(f"limits.{field.name}", old, new)
    for change in _value("log.format", before.log.format, after.log.format):
        yield change._replace(needs_restart=True)
    for change in _value("inspector", before.inspector, after.inspector):
        yield change._replace(needs_restart=True)
    yield from _value("log.requests", before.log.requests, after.log.requests)
    for key in ("shutdown_grace", "drain_delay"):
        yield from _value(key, getattr(before, key), getattr(after, key))
    yield from _value("via", before.via is not None, after.via is not None)
    yield from _value("http2", before.http2, after.http2)
    old_proxies, new_proxies = map(str, before.trusted_proxies), map(str, after.trusted_proxies)
    yield from _members("trusted proxy", list(old_proxies), list(new_proxies))


def _hosts(policy: Policy) -> Sequence[str]:
    return ('"*"',) if policy.any_host else sorted(policy.allowed_hosts)


def _value(key: str, before: object, after: object) -> Iterator[Change]:
    if before != after:
        yield Change("~", f"{key} {_shown(after)} (was {_shown(before)})")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
