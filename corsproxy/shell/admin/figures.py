"""What a process has counted, and what is true of it at this moment.

Counting happens for every request, so alike ones share a place, and what they mean is
worked out when somebody asks. Figures of several processes can be added up, and travel
between processes as JSON. No name ever holds a value that a client chooses: origins and
paths are not counted apart, and methods that no standard has are one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, Self, TypedDict

from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.errors import UpstreamFault
from corsproxy.shell.feed.records import ExchangeRecord

# The advice of OpenTelemetry's HTTP conventions for durations, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}
)
_NO_ROUTE = ""
_NO_OUTCOME = "none"
_UPSTREAM_CODES = frozenset(map(str, UpstreamFault))
_STATUS_CLASSES = ("none", *(f"{digit}xx" for digit in range(1, 10)))

# Different exchanges, and durations of alike ones, that are held until they are worked out.
_MOST_HELD = 256
_MOST_SECONDS = 256

_Counted = tuple[str | None, Kind, Code, bool, str, int, str | None, str | None]
"""What is counted of an exchange: the verdict's route, kind, code and whether it allows; the
method, the status, the outcome, and what cut it short."""

Row = list[str | int]
"""The names that something is counted by, and the count."""


class ConnectionFigures(Protocol):
    """What is to be known of the connections to one upstream."""

    @property
    def upstream(self) -> str: ...
    @property
    def open(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def connects(self) -> int: ...
    @property
    def failed_connects(self) -> int: ...
    @property
    def retries(self) -> int: ...


class FiguresJson(TypedDict):
    """Figures on their way between processes."""

    requests: list[Row]
    preflights: list[Row]
    upstream_errors: list[Row]
    upstream_seconds: dict[str, tuple[list[int], float]]
    upstreams: dict[str, dict[str, int]]
    in_flight: int


class WorkerState(NamedTuple):
    """One of several worker processes."""

    up: bool
    """Whether it answers requests."""
    restarts: int
    in_flight: int


class Histogram:
    """Durations by bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Iterable[int] = (), total: float = 0.0) -> None:
        self.counts = list(counts) or [0] * (len(BUCKETS) + 1)
        self.total = total

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def add(self, other: "Histogram") -> None:
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.total += other.total


class Figures:
    """The counters of a process, or of several together; a `records.Journal`."""

    # Of an upstream's connections: what is so now, and what has happened so far.
    NOW = ("open", "idle", "in_flight", "waiting")
    SO_FAR = ("connects", "failed_connects", "retries")

    def __init__(self) -> None:
        self._held: dict[_Counted, list[float]] = {}
        self._requests: dict[tuple[str, ...], int] = defaultdict(int)
        self._preflights: dict[tuple[str, ...], int] = defaultdict(int)
        self._upstream_errors: dict[tuple[str, ...], int] = defaultdict(int)
        self._upstream_seconds: dict[str, Histogram] = defaultdict(Histogram)
        self.upstreams: dict[str, dict[str, int]] = {}
        """By upstream: NOW and SO_FAR."""
        self.in_flight = 0

    def exchange(self, record: ExchangeRecord) -> None:
        """Count an exchange that is over."""
        self.count(
            record.method,
            record.verdict,
            record.status,
            record.outcome,
            record.upstream_s,
            record.error,
        )

    def count(
        self,
        method: str,
        verdict: Verdict,
        status: int,
        outcome: Outcome | None,
        upstream_s: float | None,
        error: str | None,
    ) -> None:
        """As `exchange`, without the rest of a record."""
        # This runs for every request: a starred name would make a list.
        kind, code, allowed, route, _, _, _, _ = verdict
        word = None if outcome is None else outcome.word
        try:
            held = self._held[route, kind, code, allowed, method, status, word, error]
        except KeyError:
            held = self._hold((route, kind, code, allowed, method, status, word, error))
        held[0] += 1
        if upstream_s is not None:
            held.append(upstream_s)
            if len(held) > _MOST_SECONDS:
                self._work_out()

    @property
    def requests(self) -> dict[tuple[str, ...], int]:
        """By route, method, class of the status, decision, and outcome."""
        self._work_out()
        return self._requests

    @property
    def preflights(self) -> dict[tuple[str, ...], int]:
        """By route, decision, and code."""
        self._work_out()
        return self._preflights

    @property
    def upstream_errors(self) -> dict[tuple[str, ...], int]:
        """By route and code."""
        self._work_out()
        return self._upstream_errors

    @property
    def upstream_seconds(self) -> dict[str, Histogram]:
        """By route: from asking the upstream to the head of its answer."""
        self._work_out()
        return self._upstream_seconds

    def look(self, in_flight: int, pools: Iterable[ConnectionFigures]) -> None:
        """Take down what is true now."""
        self.in_flight = in_flight
        self.upstreams = {}
        for pool in pools:
            # Pools that differ in their TLS settings alone have one name.
            self._add_upstream(
                pool.upstream, {name: getattr(pool, name) for name in self.NOW + self.SO_FAR}
            )

    def add(self, other: "Figures") -> None:
        """Add what another process has counted."""
        for mine, theirs in (
            (self.requests, other.requests),
            (self.preflights, other.preflights),
            (self.upstream_errors, other.upstream_errors),
        ):
            for names, count in theirs.items():
                mine[names] += count
        for route, histogram in other.upstream_seconds.items():
            self.upstream_seconds[route].add(histogram)
        for upstream, counts in other.upstreams.items():
            self._add_upstream(upstream, counts)
        self.in_flight += other.in_flight

    def end(self) -> None:
        """Leave what has happened so far: the process is no more."""
        self.in_flight = 0
        for counts in self.upstreams.values():
            counts.update(dict.fromkeys(self.NOW, 0))

    def as_json(self) -> FiguresJson:
        return {
            "requests": _rows(self.requests),
            "preflights": _rows(self.preflights),
            "upstream_errors": _rows(self.upstream_errors),
            "upstream_seconds": {
                route: (histogram.counts, histogram.total)
                for route, histogram in self.upstream_seconds.items()
            },
            "upstreams": self.upstreams,
            "in_flight": self.in_flight,
        }

    @classmethod
    def from_json(cls, found: FiguresJson) -> Self:
        figures = cls()
        for counts, rows in (
            (figures.requests, found["requests"]),
            (figures.preflights, found["preflights"]),
            (figures.upstream_errors, found["upstream_errors"]),
        ):
            for *names, count in rows:
                counts[tuple(map(str, names))] = int(count)
        for route, (buckets, total) in found["upstream_seconds"].items():
            figures.upstream_seconds[route] = Histogram(buckets, total)
        figures.upstreams = found["upstreams"]
        figures.in_flight = found["in_flight"]
        return figures

    def _hold(self, key: _Counted) -> list[float]:
        if len(self._held) >= _MOST_HELD:
            self._work_out()
        held = self._held[key] = [0]
        return held

    def _work_out(self) -> None:
        """Count by the names that are shown what has been held."""
        held, self._held = self._held, {}
        for key, (count, *seconds) in held.items():
            self._add_exchanges(int(count), *key)
            for each in seconds:
                self._upstream_seconds[key[0] or _NO_ROUTE].observe(each)

    def _add_exchanges(
        self,
        count: int,
        where: str | None,
        kind: Kind,
        code: Code,
        allowed: bool,
        method: str,
        status: int,
        outcome: str | None,
        error: str | None,
    ) -> None:
        route = where or _NO_ROUTE
        decision = "allowed" if allowed else "refused"
        known = method if method in _METHODS else "_OTHER"
        status_class = _STATUS_CLASSES[status // 100]
        self._requests[route, known, status_class, decision, outcome or _NO_OUTCOME] += count
        if kind is Kind.PREFLIGHT:
            self._preflights[route, decision, code] += count
        if code in _UPSTREAM_CODES:
            self._upstream_errors[route, code] += count
        elif error is not None and error in _UPSTREAM_CODES:
            # A failure inside the content ends an exchange whose verdict was good.
            self._upstream_errors[route, error] += count

    def _add_upstream(self, upstream: str, counts: Mapping[str, int]) -> None:
        mine = self.upstreams.setdefault(upstream, dict.fromkeys(self.NOW + self.SO_FAR, 0))
        for name, count in counts.items():
            mine[name] += count


class Snapshot(NamedTuple):
    """What a scrape is told."""

    figures: Figures
    reload_successful: bool
    reload_timestamp: float
    """Seconds since the epoch."""
    workers: Sequence[WorkerState] = ()
    """Empty where one process does everything."""


def _rows(counts: Mapping[tuple[str, ...], int]) -> list[Row]:
    return [[*names, count] for names, count in counts.items()]
