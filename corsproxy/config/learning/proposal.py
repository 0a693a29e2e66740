"""The smallest edit of a file that lets the observed calls through, as far as it is safe.

Every addition is one that `explain` names for some refused call, so none is there for
nothing. A page that the developer only happened to visit is observed too: so nothing is
proposed but for loopback origins and for those under a suffix that was typed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import NamedTuple

from corsproxy.config.editing.edits import File, allow
from corsproxy.config.editing.splices import EditError
from corsproxy.config.learning.hosts import is_under
from corsproxy.config.learning.observations import Seen, unreadable
from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.families import needs_of
from corsproxy.core.advice.remedies import KINDS, Remedy, RemedyKey, remedy_under
from corsproxy.core.explain.explanation import explain
from corsproxy.core.origins import Origin, OriginSet, parse_origin, parse_origin_pattern
from corsproxy.core.origins.hosts import is_loopback, is_public_suffix
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import CorsRules
from corsproxy.core.routing import find_route
from corsproxy.core.verdicts import Verdict

_PORTS_FOR_A_WILDCARD = 2
_SIBLINGS_FOR_A_WILDCARD = 3
# More than one call can need: origin, method, credentials, and each of its headers.
_MOST_EDITS = 300
_REBOUND = "anyone can point a name here: if it is yours, name its domain with --origin-suffix"


class Addition(NamedTuple):
    """One entry to add, and the calls that need it."""

    kind: str
    """origin, method, header, expose, credentials or host."""
    value: str
    route: str | None
    seen: Seen


class NotProposed(NamedTuple):
    """Calls that stay refused, and why nothing is proposed for them."""

    origin: str
    """The page's origin, or `host NAME` for calls to a name that is refused."""
    reason: str
    seen: Seen


class Proposal(NamedTuple):
    """An edit, and what it leaves."""

    before: bytes
    after: bytes
    additions: tuple[Addition, ...]
    others: tuple[NotProposed, ...]


def propose(
    file: File,
    refused: Mapping[PageCall, Seen],
    suffixes: Sequence[str],
    hosts: Mapping[str, Seen] = MappingProxyType({}),
) -> Proposal:
    """Return the edit that lets the refused calls through; `hosts` are the names in Host that
    were refused.

    `suffixes` are domains: origins on https and hosts below them may be proposed. Raises
    ConfigError where the file is refused as it is.
    """
    maker = _Maker(file)
    for call, seen in refused.items():
        reason = None if maker.lists(call) else _why_not(call.origin, suffixes)
        if reason is None:
            maker.wanted[call] = seen
        else:
            maker.leave(call.origin, reason, seen)
    maker.run()
    for host, seen in hosts.items():
        maker.allow_host(host, seen, is_under(host, suffixes))
    return Proposal(
        file.content,
        maker.file.content,
        (*(maker.addition(*key) for key in maker.additions), *maker.hosts),
        tuple(NotProposed(*key, seen) for key, seen in maker.others.items()),
    )


def _why_not(text: str, suffixes: Sequence[str]) -> str | None:
    """Return why nothing is proposed for an origin; None where something may be."""
    origin = parse_origin(text.encode("utf-8"))
    if origin is None:
        return "any page can have the origin null" if text == "null" else "not an origin of the web"
    if origin.scheme in ("http", "https") and is_loopback(origin.host):
        return None
    if origin.scheme == "http":
        return "plain http beyond this machine: anyone on the network can impersonate it"
    if origin.scheme != "https":
        return "not an origin of the web"
    if is_under(origin.host, suffixes):
        return None
    return "not on this machine: if the page is yours, name its domain with --origin-suffix"


class _Maker:
    """The edit in the making."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.wanted: dict[PageCall, Seen] = {}
        self.additions: dict[tuple[RemedyKey, str, str | None], None] = {}
        self.others: dict[tuple[str, str], Seen] = {}
        self.hosts: list[Addition] = []
        self._policy = file.reading.policy

    def lists(self, call: PageCall) -> bool:
        """Whether the origin of a call is in the file already."""
        route = find_route(self._policy, call.target.encode("ascii"))
        rules = None if route is None else route.cors
        found = rules.origins.match(call.origin.encode()) if isinstance(rules, CorsRules) else None
        return found is not None

    def leave(self, origin: str, reason: str, seen: Seen) -> None:
        """Note a call for which nothing is proposed."""
        key = (origin, reason)
        self.others[key] = self.others.get(key, Seen()).again(seen.last, seen.times)

    def run(self) -> None:
        """Add what the wanted calls need."""
        wider = _wider_entries(call.origin for call in self.wanted if not self.lists(call))
        for call, seen in self.wanted.items():
            reason = self._allow(call, wider)
            if reason is not None:
                self.leave(call.origin, reason, seen)

    def allow_host(self, host: str, seen: Seen, is_ours: bool) -> None:
        """Add a name to `allowed_hosts` if it is one of ours, and not there already."""
        if self._policy.any_host or host in self._policy.allowed_hosts:
            return
        if not is_ours:
            self.leave(f"host {host}", _REBOUND, seen)
            return
        try:
            self.file = allow(self.file, "allowed_hosts", host).file
        except (ConfigError, EditError) as error:
            reason = error.problems[0].message if isinstance(error, ConfigError) else error.reason
            self.leave(f"host {host}", reason, seen)
        else:
            self.hosts.append(Addition("host", host, None, seen))

    def _allow(self, call: PageCall, wider: Mapping[str, str]) -> str | None:
        """Add what a call needs; returns why it stays refused, or None where it does not."""
        for _ in range(_MOST_EDITS):
            try:
                explanation = explain(self._policy, call)
            except ValueError as error:
                return str(error)
            remedy = explanation.remedy
            if explanation.allowed:
                remedy = self._reading(call, explanation.verdict)
                if remedy is None:
                    return None
            if remedy is None:
                return f"{explanation.verdict.code}: no entry of the file would allow it"
            try:
                self._add(remedy, wider)
            except EditError as error:
                return error.reason
            except ConfigError as error:
                return error.problems[0].message
        return "it needs too much"

    def _reading(self, call: PageCall, verdict: Verdict) -> Remedy | None:
        """Return the change that lets an allowed call read what its client needs."""
        route = find_route(self._policy, call.target.encode("ascii"))
        if route is None or not isinstance(route.cors, CorsRules):
            return None
        names = unreadable(route.cors, call)
        if not names:
            return None
        return remedy_under("expose_headers", names, verdict, self._policy, route.cors)

    def _add(self, remedy: Remedy, wider: Mapping[str, str]) -> None:
        for value in remedy.values:
            if remedy.key == "allow_origins":
                value = wider.get(value, value)
            self.file = allow(self.file, remedy.key, value, remedy.route).file
            self.additions[remedy.key, value, remedy.route] = None
        self._policy = self.file.reading.policy

    def addition(self, key: RemedyKey, value: str, route: str | None) -> Addition:
        """Return an entry that was added, with all the calls that need it."""
        total = Seen()
        for call, seen in self.wanted.items():
            if _needs(call, key, value):
                unfollowed = seen.unfollowed if key == "allow_credentials" else 0
                total = total.again(seen.last, seen.times, unfollowed)
        return Addition(KINDS[key], value, route, total)


def _needs(call: PageCall, key: RemedyKey, value: str) -> bool:
    match key:
        case "allow_origins":
            pattern = OriginSet([parse_origin_pattern(value)])
            return pattern.match(call.origin.encode("utf-8")) is not None
        case "allow_methods":
            return call.normalized_method == value
        case "allow_headers":
            return value.lower() in call.asked_headers
        case "expose_headers":
            return value in needs_of(call.method, call.asked_headers)
        case _:
            return call.credentials


def _wider_entries(origins: Iterable[str]) -> dict[str, str]:
    """Return, for origins of which several differ in one part alone, the entry for them all:
    any port of one loopback host, any name with one beginning beside its siblings."""
    ports: defaultdict[tuple[str, str], set[Origin]] = defaultdict(set)
    siblings: defaultdict[tuple[str, str, int | None], set[Origin]] = defaultdict(set)
    for text in set(origins):
        origin = parse_origin(text.encode("utf-8"))
        if origin is None:
            continue
        if is_loopback(origin.host):
            ports[origin.scheme, origin.host].add(origin)
        else:
            label, _, parent = origin.host.partition(".")
            siblings[label.partition("-")[0], parent, origin.port].add(origin)
    found: dict[str, str] = {}
    for (scheme, host), group in ports.items():
        if len(group) >= _PORTS_FOR_A_WILDCARD:
            found.update(dict.fromkeys(map(_serialized, group), f"{scheme}://{host}:*"))
    for (_, parent, port), group in siblings.items():
        prefix = _shared_prefix(origin.host.partition(".")[0] for origin in group)
        if len(group) < _SIBLINGS_FOR_A_WILDCARD or not prefix or is_public_suffix(parent):
            continue
        entry = f"https://{prefix}*.{parent}" + ("" if port is None else f":{port}")
        found.update(dict.fromkeys(map(_serialized, group), entry))
    return found


def _shared_prefix(labels: Iterable[str]) -> str:
    """Return what all labels begin with, up to its last hyphen and with more behind it."""
    known = sorted(labels)
    pairs = zip(known[0], known[-1], strict=False)
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    prefix = shared[: shared.rfind("-") + 1]
    return prefix if all(label != prefix for label in known) else ""


def _serialized(origin: Origin) -> str:
    port = "" if origin.port is None else f":{origin.port}"
    return f"{origin.scheme}://{origin.host}{port}"
