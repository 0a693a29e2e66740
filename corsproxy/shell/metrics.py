"""Counting exchanges, and the Prometheus text of the counts.

Counting is plain dictionaries, because it happens for every request; prometheus_client,
an optional package, is imported by the first scrape. No label ever holds a value that
a client chooses: origins and paths are no labels, and unknown methods are one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from corsproxy import __version__
from corsproxy.core.verdicts import Kind
from corsproxy.errors import CorsproxyError
from corsproxy.shell.records import ExchangeRecord

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# The advice of OpenTelemetry's HTTP conventions for durations, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}
)
_NO_ROUTE = ""


class MetricsUnavailableError(CorsproxyError):
    """prometheus_client is not installed."""


class Gauges(NamedTuple):
    """What is true at the moment of a scrape."""

    in_flight: int
    reload_successful: bool
    reload_timestamp: float
    """Seconds since the epoch."""


class _Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Metrics:
    """The counters of a process."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, str, str], int] = defaultdict(int)
        self._preflights: dict[tuple[str, str, str], int] = defaultdict(int)
        self._upstream_errors: dict[tuple[str, str], int] = defaultdict(int)
        self._upstream_duration: dict[str, _Histogram] = defaultdict(_Histogram)

    def observe(self, record: ExchangeRecord) -> None:
        """Count one finished exchange."""
        verdict = record.verdict
        route = verdict.route or _NO_ROUTE
        decision = "allowed" if verdict.allowed else "refused"
        method = record.method if record.method in _METHODS else "_OTHER"
        status = f"{record.status // 100}xx" if record.status else "none"
        self._requests[route, method, status, decision] += 1
        if verdict.kind is Kind.PREFLIGHT:
            self._preflights[route, decision, verdict.code] += 1
        if verdict.code.startswith("upstream-"):
            self._upstream_errors[route, verdict.code] += 1
        if record.upstream_s is not None:
            self._upstream_duration[route].observe(record.upstream_s)

    def exposition(self, accept: str, gauges: Gauges) -> tuple[bytes, str]:
        """Return the metrics and their content type, as `accept` prefers it.

        Raises MetricsUnavailableError.
        """
        try:
            from prometheus_client import CollectorRegistry
            from prometheus_client.exposition import choose_encoder
        except ImportError:
            raise MetricsUnavailableError(
                "metrics need prometheus_client: pip install 'corsproxy[metrics]'"
            ) from None
        registry = CollectorRegistry()
        registry.register(_Collector(lambda: self._collect(gauges)))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def _collect(self, gauges: Gauges) -> Iterator["Metric"]:
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        requests = CounterMetricFamily(
            "corsproxy_requests",
            "Requests answered.",
            labels=["route", "method", "status_class", "decision"],
        )
        for labels, count in self._requests.items():
            requests.add_metric(labels, count)
        yield requests
        preflights = CounterMetricFamily(
            "corsproxy_preflights",
            "Preflights answered, and why.",
            labels=["route", "decision", "reason"],
        )
        for names, count in self._preflights.items():
            preflights.add_metric(names, count)
        yield preflights
        errors = CounterMetricFamily(
            "corsproxy_upstream_errors", "Upstream failures.", labels=["route", "kind"]
        )
        for pair, count in self._upstream_errors.items():
            errors.add_metric(pair, count)
        yield errors
        durations = HistogramMetricFamily(
            "corsproxy_upstream_duration_seconds",
            "From asking the upstream to the head of its answer.",
            labels=["route"],
        )
        for route, histogram in self._upstream_duration.items():
            bounds = [*map(str, BUCKETS), "+Inf"]
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            durations.add_metric([route], buckets, histogram.total)
        yield durations
        yield GaugeMetricFamily(
            "corsproxy_in_flight", "Requests being answered now.", gauges.in_flight
        )
        yield GaugeMetricFamily(
            "corsproxy_config_last_reload_successful",
            "1 if the running policy is what the file says.",
            int(gauges.reload_successful),
        )
        yield GaugeMetricFamily(
            "corsproxy_config_last_reload_timestamp_seconds",
            "When the running policy was read.",
            gauges.reload_timestamp,
        )
        yield InfoMetricFamily(
            "corsproxy_build", "The running version.", value={"version": __version__}
        )


class _Collector:
    """What a registry asks: `register` does not call it where `describe` answers."""

    def __init__(self, collect: Callable[[], Iterator["Metric"]]) -> None:
        self.collect = collect

    def describe(self) -> tuple[()]:
        return ()
