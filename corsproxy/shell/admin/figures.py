"""The counters of a process, and its gauges.

Every request is counted, so similar ones share an entry and the figures are computed on
demand. Figures of several processes can be added up, and are sent between processes as
JSON. No label holds a value that a client chooses: there are no labels for origins and
paths, and all unknown methods are counted as one.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Self, TypedDict

from corsproxy.core.verdicts import Code, Kind
from corsproxy.errors import UpstreamFault
from corsproxy.shell.feed.records import ExchangeRecord

if TYPE_CHECKING:
    from corsproxy.shell.upstream.pool import PoolFigures

# OpenTelemetry's HTTP conventions recommend these bounds for durations, in seconds. The lower
# ones are added for a proxy on the same machine.
BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
)  # fmt: skip

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}
)
_NO_ROUTE = ""
_NO_OUTCOME = "none"
_UPSTREAM_CODES = frozenset(map(str, UpstreamFault))
_STATUS_CLASSES = ("none", *(f"{digit}xx" for digit in range(1, 10)))

# Distinct exchanges, and durations of similar ones, held before they are added up.
_MOST_HELD: Final = 256
_MOST_SECONDS: Final = 256

_Counted = tuple[str | None, Kind, Code, bool, str, int, str | None, str | None]
"""What an exchange is counted by: the verdict's route, kind, code and whether it allows; the
method, the status, the outcome, and the error that cut it short."""

Row = list[str | int]
"""Label values, and the count."""


class Count(StrEnum):
    """The counters, with their labels."""

    REQUESTS = "requests"
    """By route, method, class of the status, decision, and outcome."""
    PREFLIGHTS = "preflights"
    """By route, decision, and code."""
    REFUSALS = "refusals"
    """By route and code."""
    UPSTREAM_ERRORS = "upstream-errors"
    """By route and code."""
    RECEIVED = "received"
    """Bytes of request content, by route."""
    SENT = "sent"
    """Bytes of responses, heads included, by route."""


class Duration(StrEnum):
    """The durations, by route."""

    UPSTREAM = "upstream"
    """From sending the request upstream to the response head."""
    WHOLE = "whole"
    """From the request's first byte to the last byte of its response."""


class HistogramJson(TypedDict):
    """A histogram as JSON between processes. JSON would turn a tuple into a list, which
    compiled code does not accept as a tuple."""

    counts: list[int]
    total: float


class FiguresJson(TypedDict):
    """Figures as JSON between processes."""

    counts: dict[str, list[Row]]
    seconds: dict[str, dict[str, HistogramJson]]
    upstreams: dict[str, dict[str, int]]
    in_flight: int
    clients: int
    lost_lines: int


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

    def observe(self, seconds: Iterable[float]) -> None:
        """Add durations: many at once, because sorting them is cheaper than placing each."""
        ordered = sorted(seconds)
        below = 0
        for place, bound in enumerate(BUCKETS):
            within = bisect_right(ordered, bound)
            self.counts[place] += within - below
            below = within
        self.counts[-1] += len(ordered) - below
        self.total += sum(ordered)

    def add(self, other: "Histogram") -> None:
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.total += other.total


class _Held:
    """Similar exchanges that have not been added up yet."""

    __slots__ = (
        "_error", "_method", "_outcome", "_status", "_verdict",
        "count", "received", "sent", "upstream", "whole",
    )  # fmt: skip

    def __init__(self, first: ExchangeRecord) -> None:
        self._verdict: Final = first.verdict
        self._method: Final = first.request.method
        self._status: Final = first.status
        self._outcome: Final = first.outcome
        self._error: Final = first.error
        self.count = 0
        self.received = 0
        self.sent = 0
        self.upstream: list[float] = []
        self.whole: list[float] = []

    def is_plainly_like(self, record: ExchangeRecord) -> bool:
        """Whether `record` belongs here because it has the identical objects. If not, it still
        may belong here: the values have to be compared."""
        verdict, first = record.verdict, self._verdict
        return (
            verdict.code is first.code
            and verdict.kind is first.kind
            and verdict.route is first.route
            and verdict.allowed == first.allowed
            and record.request.method is self._method
            and record.status == self._status
            and record.outcome is self._outcome
            and record.error is self._error
        )


class Figures:
    """The counters of a process, or of several; a `records.Journal`."""

    # Figures of an upstream's connections: gauges, and counters.
    NOW: ClassVar = ("open", "idle", "in_flight", "waiting")
    SO_FAR: ClassVar = ("connects", "failed_connects", "retries")

    def __init__(self) -> None:
        self._held: dict[_Counted, _Held] = {}
        self._last: _Held | None = None  # the entry of the last exchange
        self._counts: dict[Count, dict[tuple[str, ...], int]] = {
            each: defaultdict(int) for each in Count
        }
        self._seconds: dict[Duration, dict[str, Histogram]] = {
            each: defaultdict(Histogram) for each in Duration
        }
        self.upstreams: dict[str, dict[str, int]] = {}
        """By upstream: NOW and SO_FAR."""
        self.in_flight = 0
        self.clients = 0
        """Open client connections."""
        self.lost_lines = 0
        """Log lines lost."""

    def exchange(self, record: ExchangeRecord) -> None:
        """Count a finished exchange."""
        held = self._last
        if held is None or not held.is_plainly_like(record):
            held = self._last = self._hold(record)
        held.count += 1
        held.received += record.received
        held.sent += record.sent
        held.whole.append(record.duration_s)
        if record.upstream_s is not None:
            held.upstream.append(record.upstream_s)
        if held.count >= _MOST_SECONDS:
            self._work_out()

    def counts(self, which: Count) -> dict[tuple[str, ...], int]:
        """Return one of the counters; not a copy."""
        self._work_out()
        return self._counts[which]

    def seconds(self, which: Duration) -> dict[str, Histogram]:
        """Return durations by route; not a copy."""
        self._work_out()
        return self._seconds[which]

    def set_gauges(self, in_flight: int, clients: int, pools: "Iterable[PoolFigures]") -> None:
        """Record the gauges."""
        self.in_flight = in_flight
        self.clients = clients
        self.upstreams = {}
        for pool in pools:
            # Pools that differ only in their TLS settings have the same name.
            self._add_upstream(
                pool.upstream, {name: getattr(pool, name) for name in self.NOW + self.SO_FAR}
            )

    def add(self, other: "Figures") -> None:
        """Add the figures of another process."""
        for which in Count:
            mine = self.counts(which)
            for names, count in other.counts(which).items():
                mine[names] += count
        for each in Duration:
            histograms = self.seconds(each)
            for route, histogram in other.seconds(each).items():
                histograms[route].add(histogram)
        for upstream, counts in other.upstreams.items():
            self._add_upstream(upstream, counts)
        self.in_flight += other.in_flight
        self.clients += other.clients
        self.lost_lines += other.lost_lines

    def end(self) -> None:
        """Keep only the counters: the process has ended."""
        self.in_flight = self.clients = 0
        for counts in self.upstreams.values():
            counts.update(dict.fromkeys(self.NOW, 0))

    def as_json(self) -> FiguresJson:
        return {
            "counts": {each: _rows(self.counts(each)) for each in Count},
            "seconds": {
                each: {
                    route: {"counts": it.counts, "total": it.total}
                    for route, it in self.seconds(each).items()
                }
                for each in Duration
            },
            "upstreams": self.upstreams,
            "in_flight": self.in_flight,
            "clients": self.clients,
            "lost_lines": self.lost_lines,
        }

    @classmethod
    def from_json(cls, found: FiguresJson) -> Self:
        figures = cls()
        for which, rows in found["counts"].items():
            for *names, count in rows:
                figures._counts[Count(which)][tuple(map(str, names))] = int(count)
        for each, histograms in found["seconds"].items():
            for route, it in histograms.items():
                figures._seconds[Duration(each)][route] = Histogram(it["counts"], it["total"])
        figures.upstreams = found["upstreams"]
        figures.in_flight = found["in_flight"]
        figures.clients = found["clients"]
        figures.lost_lines = found["lost_lines"]
        return figures

    def _hold(self, record: ExchangeRecord) -> _Held:
        """Return the entry that holds exchanges like this one."""
        verdict, status, error = record.verdict, record.status, record.error
        outcome = None if record.outcome is None else record.outcome.word
        route, kind, code, allowed = verdict.route, verdict.kind, verdict.code, verdict.allowed
        alike = (route, kind, code, allowed, record.request.method, status, outcome, error)
        held = self._held.get(alike)
        if held is None:
            if len(self._held) >= _MOST_HELD:
                self._work_out()
            held = self._held[alike] = _Held(record)
        return held

    def _work_out(self) -> None:
        """Add the held exchanges to the counters."""
        if not self._held:
            return
        held, self._held, self._last = self._held, {}, None
        for key, alike in held.items():
            route = key[0] or _NO_ROUTE
            self._add_exchanges(alike.count, *key)
            self._counts[Count.RECEIVED][(route,)] += alike.received
            self._counts[Count.SENT][(route,)] += alike.sent
            for which, seconds in (
                (Duration.UPSTREAM, alike.upstream),
                (Duration.WHOLE, alike.whole),
            ):
                if seconds:
                    self._seconds[which][route].observe(seconds)

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
        counts, route = self._counts, where or _NO_ROUTE
        decision = "allowed" if allowed else "refused"
        known = method if method in _METHODS else "_OTHER"
        status_class = _STATUS_CLASSES[status // 100]
        names = (route, known, status_class, decision, outcome or _NO_OUTCOME)
        counts[Count.REQUESTS][names] += count
        if kind is Kind.PREFLIGHT:
            counts[Count.PREFLIGHTS][route, decision, code] += count
        if not allowed:
            counts[Count.REFUSALS][route, code] += count
        if code in _UPSTREAM_CODES:
            counts[Count.UPSTREAM_ERRORS][route, code] += count
        elif error is not None and error in _UPSTREAM_CODES:
            # A failure in the middle of the content ends an exchange whose verdict was to allow.
            counts[Count.UPSTREAM_ERRORS][route, error] += count

    def _add_upstream(self, upstream: str, counts: Mapping[str, int]) -> None:
        mine = self.upstreams.setdefault(upstream, dict.fromkeys(self.NOW + self.SO_FAR, 0))
        for name, count in counts.items():
            mine[name] += count


class Snapshot(NamedTuple):
    """The data for one scrape."""

    figures: Figures
    reload_successful: bool
    reload_timestamp: float
    """Seconds since the epoch."""
    workers: Sequence[WorkerState] = ()
    """Empty if there are no worker processes."""
    lost_lines: int = 0
    """Log lines lost by this process."""


def _rows(counts: Mapping[tuple[str, ...], int]) -> list[Row]:
    return [[*names, count] for names, count in counts.items()]
