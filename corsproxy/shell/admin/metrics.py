"""The metrics page: figures in the formats that Prometheus reads.

Imported by the first scrape, because it needs prometheus_client, an optional package.
Names and labels are an interface: `deploy/OPERATING.md` lists them.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from corsproxy import __version__
from corsproxy.shell.admin.figures import BUCKETS, Count, Duration, Figures, Snapshot, WorkerState

_UPSTREAM_GAUGES = {
    "open": ("corsproxy_upstream_connections", "Open connections to the upstream."),
    "idle": ("corsproxy_upstream_connections_idle", "Idle connections to the upstream."),
    "in_flight": ("corsproxy_upstream_in_flight", "Requests in flight to the upstream."),
    "waiting": ("corsproxy_upstream_waiting", "Requests waiting because of limits.in_flight."),
}
_UPSTREAM_COUNTERS = {
    "connects": ("corsproxy_upstream_connects", "Connections begun."),
    "failed_connects": ("corsproxy_upstream_connect_failures", "Failed connection attempts."),
    "retries": ("corsproxy_upstream_retries", "Requests sent a second time."),
}


def exposition(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """Return the metrics and their content type, in the format that `accept` prefers."""
    registry = CollectorRegistry()
    registry.register(_Collector(snapshot))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


_COUNTERS = {
    Count.REQUESTS: (
        "corsproxy_requests",
        "Requests answered.",
        ("route", "method", "status_class", "decision", "outcome"),
    ),
    Count.PREFLIGHTS: (
        "corsproxy_preflights",
        "Preflights answered, and why.",
        ("route", "decision", "reason"),
    ),
    Count.REFUSALS: ("corsproxy_refusals", "Requests refused, by code.", ("route", "code")),
    Count.UPSTREAM_ERRORS: (
        "corsproxy_upstream_errors",
        "Upstream failures.",
        ("route", "kind"),
    ),
    Count.RECEIVED: (
        "corsproxy_received_bytes",
        "Request content, and data that clients sent through tunnels.",
        ("route",),
    ),
    Count.SENT: ("corsproxy_sent_bytes", "Responses, heads included.", ("route",)),
}
_HISTOGRAMS = {
    Duration.WHOLE: (
        "corsproxy_request_duration_seconds",
        "From a request's first byte to the last byte of its response.",
    ),
    Duration.UPSTREAM: (
        "corsproxy_upstream_duration_seconds",
        "From sending the request upstream to the response head.",
    ),
}


def _exchanges(figures: Figures) -> Iterator[Metric]:
    for which, (name, text, labels) in _COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=labels)
        for values, count in figures.counts(which).items():
            counter.add_metric(values, count)
        yield counter
    bounds = [*map(str, BUCKETS), "+Inf"]
    for each, (name, text) in _HISTOGRAMS.items():
        durations = HistogramMetricFamily(name, text, labels=["route"])
        for route, histogram in figures.seconds(each).items():
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            durations.add_metric([route], buckets, histogram.total)
        yield durations
    yield GaugeMetricFamily(
        "corsproxy_in_flight", "Requests being answered now.", figures.in_flight
    )
    yield GaugeMetricFamily(
        "corsproxy_client_connections", "Open client connections.", figures.clients
    )


def _upstreams(figures: Figures) -> Iterator[Metric]:
    for key, (name, text) in _UPSTREAM_GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=["upstream"])
        for upstream, counts in figures.upstreams.items():
            gauge.add_metric([upstream], counts[key])
        yield gauge
    for key, (name, text) in _UPSTREAM_COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=["upstream"])
        for upstream, counts in figures.upstreams.items():
            counter.add_metric([upstream], counts[key])
        yield counter


def _process(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "corsproxy_config_last_reload_successful",
        "1 if the running policy matches the file.",
        int(snapshot.reload_successful),
    )
    yield GaugeMetricFamily(
        "corsproxy_config_last_reload_timestamp_seconds",
        "When the running policy was read.",
        snapshot.reload_timestamp,
    )
    lost = CounterMetricFamily(
        "corsproxy_log_lines_lost",
        "Log lines lost because a reader stalled or a disk was full.",
    )
    lost.add_metric([], snapshot.lost_lines + snapshot.figures.lost_lines)
    yield lost
    yield InfoMetricFamily(
        "corsproxy_build", "The running version.", value={"version": __version__}
    )


def _workers(workers: Sequence[WorkerState]) -> Iterator[Metric]:
    if not workers:
        return
    up = GaugeMetricFamily(
        "corsproxy_worker_up", "1 if the worker answers requests.", labels=["worker"]
    )
    restarts = CounterMetricFamily(
        "corsproxy_worker_restarts", "How often the worker was replaced.", labels=["worker"]
    )
    in_flight = GaugeMetricFamily(
        "corsproxy_worker_in_flight", "Requests that it is answering now.", labels=["worker"]
    )
    for number, worker in enumerate(workers):
        up.add_metric([str(number)], int(worker.up))
        restarts.add_metric([str(number)], worker.restarts)
        in_flight.add_metric([str(number)], worker.in_flight)
    yield from (up, restarts, in_flight)


class _Collector:
    """Collects the metrics. `describe` keeps `register` from calling `collect`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def describe(self) -> tuple[()]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from _exchanges(self._snapshot.figures)
        yield from _upstreams(self._snapshot.figures)
        yield from _process(self._snapshot)
        yield from _workers(self._snapshot.workers)
