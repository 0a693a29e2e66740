"""Finding the entry that allows an origin (Fetch, "CORS check").

Exact entries are one dictionary lookup. Wildcards are lookups by scheme, host and port:
as many as the deepest entry has labels, however many entries there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from corsproxy.core.origins.origin import DEFAULT_PORTS, Origin, parse_origin
from corsproxy.core.origins.pattern import EXACT, OriginPattern, PatternKind
from corsproxy.core.origins.spellings import Spellings
from corsproxy.core.source import DEFAULT, Source

_ANY_PORT: Final = 0  # no origin has port 0

_ONE_HOST: Final = (PatternKind.EXACT, PatternKind.ANY_PORT)

_Site = tuple[str, str]
"""Scheme and host."""

_Ports = dict[int | None, OriginPattern]
"""Entries by port: None for the default one, or _ANY_PORT."""


class _Labels:
    """The LABEL entries of one place, by what surrounds their `*`."""

    __slots__ = ("_entries", "_shapes")

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], OriginPattern] = {}
        # The lengths of prefix and suffix: as many as a label has room for, at worst.
        self._shapes: list[tuple[int, int]] = []

    def add(self, pattern: OriginPattern) -> None:
        self._entries.setdefault((pattern.prefix, pattern.suffix), pattern)
        shape = len(pattern.prefix), len(pattern.suffix)
        if shape not in self._shapes:
            self._shapes.append(shape)

    def including(self, narrow: OriginPattern) -> Iterator[OriginPattern]:
        """The entries whose `*` stands for all that the one of `narrow` stands for."""
        prefix, suffix = narrow.prefix, narrow.suffix
        for before, after in self._shapes:
            end = len(suffix) - after
            if before > len(prefix) or end < 0:
                continue
            found = self._entries.get((prefix[:before], suffix[end:]))
            # A `*` stands for no underscore.
            if found is not None and "_" not in prefix[before:] + suffix[:end]:
                yield found

    def match(self, label: str) -> OriginPattern | None:
        length = len(label)
        for before, after in self._shapes:
            end = length - after
            if end > before:
                found = self._entries.get((label[:before], label[end:]))
                if found is not None and _fills(label, found):
                    return found
        return None


def _fills(label: str, pattern: OriginPattern) -> bool:
    """Whether `label` is what a LABEL entry's leftmost label stands for: the `*` for one
    or more letters, digits and hyphens, and for no underscore."""
    filling = label.removeprefix(pattern.prefix).removesuffix(pattern.suffix)
    return (
        len(filling) == len(label) - len(pattern.prefix) - len(pattern.suffix)
        and filling != ""
        and "_" not in filling
    )


def _is_port(digits: bytes, scheme: str) -> bool:
    """Whether an origin of `scheme` would carry `digits` as its port."""
    return (
        digits.isdigit()
        and len(digits) <= 5
        and digits[0] != ord("0")
        and int(digits) <= 65535
        and int(digits) != DEFAULT_PORTS[scheme]
    )


class OriginSet:
    """The origins that a rule allows: the compiled `allow_origins`. Immutable."""

    __slots__ = (
        "_any_port", "_at_host", "_depth", "_exact", "_expired", "_has_wildcards", "_labels",
        "_spellings", "_subdomains", "any", "expired", "inexact", "patterns", "source",
    )  # fmt: skip

    patterns: tuple[OriginPattern, ...]
    """In file order."""
    inexact: tuple[OriginPattern, ...]
    """Those that are not one origin each, in file order: wildcards and "null"."""
    source: Source
    """Where the value of `allow_origins` is written."""
    any: OriginPattern | None
    """The `"*"` entry."""
    expired: tuple[OriginPattern, ...]
    """Entries whose last day is over, in file order. They allow nothing."""

    def __init__(
        self,
        patterns: Iterable[OriginPattern],
        source: Source = DEFAULT,
        expired: Iterable[OriginPattern] = (),
    ) -> None:
        self.patterns = tuple(patterns)
        self.expired = tuple(expired)
        self._expired: OriginSet | None = OriginSet(self.expired) if self.expired else None
        self.source = source
        self.any = None
        self._exact: dict[bytes, OriginPattern] = {}
        self._any_port: dict[bytes, OriginPattern] = {}  # by the origin without its port
        self._subdomains: dict[_Site, _Ports] = {}
        self._labels: dict[tuple[str, str, int | None], _Labels] = {}
        self._depth = 0  # labels of the deepest host below which SUBDOMAINS reach
        inexact: list[OriginPattern] = []
        for pattern in self.patterns:
            # By far the most entries of long lists are exact.
            if pattern.kind is EXACT:
                self._exact.setdefault(pattern.text.encode("ascii"), pattern)
            else:
                inexact.append(pattern)
                self._add(pattern)
        self.inexact = tuple(inexact)
        # Made when a refusal first asks for them: most sets are never asked.
        self._at_host: dict[str, list[OriginPattern]] | None = None
        self._spellings: Spellings | None = None
        self._has_wildcards = bool(self._any_port or self._subdomains or self._labels)

    def _add(self, pattern: OriginPattern) -> None:
        """The first of equal entries stays: it is the one that messages name."""
        scheme, host = pattern.scheme, pattern.host
        port = _ANY_PORT if pattern.any_port else pattern.port
        match pattern.kind:
            case PatternKind.EXACT | PatternKind.NULL:
                self._exact.setdefault(pattern.text.encode("ascii"), pattern)
            case PatternKind.ANY:
                self.any = self.any or pattern
            case PatternKind.ANY_PORT:
                self._any_port.setdefault(f"{scheme}://{host}".encode("ascii"), pattern)
            case PatternKind.SUBDOMAINS:
                self._subdomains.setdefault((scheme, host), {}).setdefault(port, pattern)
                self._depth = max(self._depth, host.count(".") + 1)
            case PatternKind.LABEL:
                self._labels.setdefault((scheme, host, port), _Labels()).add(pattern)

    def match(self, value: bytes) -> OriginPattern | None:
        """The most specific entry that allows `value`, the bytes of an Origin field.

        `"*"` allows everything, "null" and nonsense included (Fetch, "CORS check",
        step 3). Never raises.
        """
        if self.any is not None:
            return self.any
        found = self._exact.get(value)
        if found is not None or not self._has_wildcards:
            return found
        if self._any_port:
            found = self._match_any_port(value)
            if found is not None:
                return found
        if not self._subdomains and not self._labels:
            return None
        origin = parse_origin(value)
        if origin is None:
            return None
        return self._match_label(origin) or self._match_subdomain(origin)

    def match_expired(self, value: bytes) -> OriginPattern | None:
        """The entry that would allow `value` if its last day were not over. Never raises."""
        return None if self._expired is None else self._expired.match(value)

    def _match_any_port(self, value: bytes) -> OriginPattern | None:
        found = self._any_port.get(value)
        if found is not None:
            return found
        site, _, digits = value.rpartition(b":")
        found = self._any_port.get(site)
        if found is None or not _is_port(digits, found.scheme):
            return None
        return found

    def _match_label(self, origin: Origin) -> OriginPattern | None:
        if not self._labels:
            return None
        scheme, host, port = origin
        label, _, parent = host.partition(".")
        for place in ((scheme, parent, port), (scheme, parent, _ANY_PORT)):
            labels = self._labels.get(place)
            found = labels.match(label) if labels else None
            if found is not None:
                return found
        return None

    def _match_subdomain(self, origin: Origin) -> OriginPattern | None:
        scheme, host, port = origin
        # The hosts above this one, the longest first; none has more labels than an entry.
        skipped = max(1, host.count(".") + 1 - self._depth)
        above = host.split(".", skipped)
        if len(above) <= skipped:
            return None
        parent = above[skipped]
        while parent:
            ports = self._subdomains.get((scheme, parent))
            if ports is not None:
                found = ports.get(port) or ports.get(_ANY_PORT)
                if found is not None:
                    return found
            parent = parent.partition(".")[2]
        return None

    def at_host(self, host: str) -> Sequence[OriginPattern]:
        """The entries written with `host`: for this host, or for names under it."""
        if self._at_host is None:
            at_host: dict[str, list[OriginPattern]] = {}
            for pattern in self.patterns:
                if pattern.host:
                    at_host.setdefault(pattern.host, []).append(pattern)
            self._at_host = at_host
        return self._at_host.get(host, ())

    def covering_host(self, host: str) -> Iterator[OriginPattern]:
        """The entries that allow `host` under some scheme and port, the nearest first."""
        for pattern in self.at_host(host):
            if pattern.kind in _ONE_HOST:
                yield pattern
        label, _, parent = host.partition(".")
        for pattern in self.at_host(parent):
            if pattern.kind is PatternKind.LABEL and _fills(label, pattern):
                yield pattern
        while parent:
            for pattern in self.at_host(parent):
                if pattern.kind is PatternKind.SUBDOMAINS:
                    yield pattern
            parent = parent.partition(".")[2]

    def spelled_like(self, host: str) -> Iterator[OriginPattern]:
        """The entries for a single host that `host` is a misspelling of, the closest first."""
        if self._spellings is None:
            self._spellings = Spellings(
                pattern.host for pattern in self.patterns if pattern.kind in _ONE_HOST
            )
        for near in self._spellings.near(host):
            for pattern in self.at_host(near):
                if pattern.kind in _ONE_HOST:
                    yield pattern

    def including(self, narrow: OriginPattern) -> Iterator[OriginPattern]:
        """The wildcards that each allow all that `narrow` allows, a wildcard itself; it is one
        of them where it is an entry. `"*"` is left out."""
        scheme, host = narrow.scheme, narrow.host
        ports = (_ANY_PORT,) if narrow.any_port else (narrow.port, _ANY_PORT)
        parent = host
        if narrow.kind is PatternKind.ANY_PORT:
            found = self._any_port.get(f"{scheme}://{host}".encode("ascii"))
            if found is not None:
                yield found
            parent = host.partition(".")[2]
        elif narrow.kind is PatternKind.LABEL:
            for port in ports:
                labels = self._labels.get((scheme, host, port))
                if labels is not None:
                    yield from labels.including(narrow)
        while parent:
            at_ports = self._subdomains.get((scheme, parent), {})
            yield from (at_ports[port] for port in ports if port in at_ports)
            parent = parent.partition(".")[2]

    def __len__(self) -> int:
        return len(self.patterns)

    def __iter__(self) -> Iterator[OriginPattern]:
        return iter(self.patterns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OriginSet):
            return NotImplemented
        return (
            self.patterns == other.patterns
            and self.expired == other.expired
            and self.source == other.source
        )

    def __hash__(self) -> int:
        return hash((self.patterns, self.expired, self.source))

    def __repr__(self) -> str:
        return f"OriginSet({[pattern.text for pattern in self.patterns]})"
