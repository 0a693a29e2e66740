"""The load scenarios: what each sends, what it counts, and what must be right first.

In these, every peer is running and the load visits them in turn. Scenarios that start a peer
anew for each sample are in `lifecycle`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from benchmarks.checks import (
    BROWSER_FIELDS,
    UPLOAD_BYTES,
    check_download,
    check_preflight,
    check_upload,
    check_varied,
    check_websocket,
)
from benchmarks.measure import Sample, Usage, run_websockets, run_wrk
from benchmarks.peer import Peer
from benchmarks.stand import Running, Stand, UpstreamName

GIB = 1 << 30
MIB = 1 << 20
CONNECTIONS = 32
BULK_CONNECTIONS = 4
VARIED_REQUESTS = 4096
"""Distinct requests before the first is repeated."""


class Settings(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: int
    """The duration of each load."""
    warm_up_seconds: int
    held_connections: int
    """Idle connections opened to measure the cost of one; a third as many of other kinds."""


class Metric(NamedTuple):
    """One number that a scenario yields for each peer."""

    key: str
    title: str
    unit: str
    better: Literal["more", "less"]
    digits: int = 0


class Scenario(Protocol):
    """Something to measure. Every peer that supports it is measured in every round."""

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def method(self) -> str:
        """How it is measured, in a sentence for the reader of the results."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    @property
    def most_rounds(self) -> int | None:
        """A limit on the rounds if each takes long; None for as many as asked."""
        ...

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        ...

    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> AbstractContextManager[Callable[[], dict[str, Sample]]]:
        """Start the peer, check that it does the job, and warm it up.

        Yields a function that takes one sample of each metric. Raises DisqualifiedError,
        ProcessError, LoadError and MissingError, and so does taking a sample.
        """
        ...


@dataclass(frozen=True)
class LoadScenario:
    """Load on a peer that keeps running through all rounds."""

    key: str
    title: str
    method: str
    metrics: tuple[Metric, ...]
    upstream: UpstreamName
    check: Callable[[Stand, Running], None]
    load: Callable[[Stand, Running, int], dict[str, Sample]]
    """Takes the seconds of load; returns a sample by metric."""
    without_proxy: bool = True
    """Whether the client could ask the upstream itself."""
    websocket: bool = False
    most_rounds: int | None = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        if peer.family == "none" and not self.without_proxy:
            return "does not apply"
        if self.websocket and not peer.websockets:
            return "has no WebSockets"
        if self.upstream == "tls" and not peer.tls:
            return "is not set up for it"
        return None

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Start, check and warm up the peer; yield a function that takes a sample."""
        with stand.start(peer, self.upstream) as running:
            self.check(stand, running)
            self.load(stand, running, settings.warm_up_seconds)
            yield lambda: self.load(stand, running, settings.seconds)


def _check_file(name: str) -> Callable[[Stand, Running], None]:
    def check(stand: Stand, running: Running) -> None:
        file = stand.files[name]
        check_download(running.peer, running.site, file.path, file.digest, file.length)

    return check


def _check_varied(stand: Stand, running: Running) -> None:
    file = stand.files["1k.json"]
    check_varied(running.peer, running.site, file.path, file.digest, file.length)


def load_requests(
    stand: Stand,
    running: Running,
    seconds: int,
    *,
    path: str = "/1k.json",
    method: str = "GET",
    fields: Mapping[str, str] | None = None,
    varied: int = 0,
) -> dict[str, Sample]:
    """Load with small requests over 32 connections; sample `rate` and `cpu` (µs each).

    `varied` is the number of distinct requests; 0 repeats a single one.
    """
    usage = Usage(running.watch)
    counted = run_wrk(
        running.url(path),
        core=stand.cores.load,
        connections=CONNECTIONS,
        seconds=seconds,
        method=method,
        fields=fields,
        varied=varied,
    )
    rate = usage.sample(counted, counted.work / counted.seconds)
    return {"rate": rate} | _per_unit("cpu", rate, 1e6)


def _load_one(stand: Stand, running: Running, seconds: int) -> dict[str, Sample]:
    usage = Usage(running.watch)
    counted = run_wrk(
        running.url("/1k.json"),
        core=stand.cores.load,
        connections=1,
        seconds=seconds,
        method="GET",
    )
    # One connection leaves the peer idle by design, so its share means nothing here.
    others = usage.sample(counted, 0).others_share
    return {
        "p50": Sample(counted.p50 * 1e6, errors=counted.errors, others_share=others),
        "p99": Sample(counted.p99 * 1e6, errors=counted.errors, others_share=others),
    }


def _load_downloads(stand: Stand, running: Running, seconds: int) -> dict[str, Sample]:
    usage = Usage(running.watch)
    counted = run_wrk(
        running.url("/64m.bin"),
        core=stand.cores.load,
        connections=BULK_CONNECTIONS,
        seconds=seconds,
        method="GET",
    )
    # wrk also counts the bytes of unfinished bodies, so that slow peers are not rounded.
    counted = counted._replace(work=counted.bytes)
    rate = usage.sample(counted, counted.work / counted.seconds / MIB)
    return {"rate": rate} | _per_unit("cpu", rate, GIB)


def _load_uploads(stand: Stand, running: Running, seconds: int) -> dict[str, Sample]:
    before = stand.received_bytes()
    usage = Usage(running.watch)
    counted = run_wrk(
        running.url("/upload"),
        core=stand.cores.load,
        connections=BULK_CONNECTIONS,
        seconds=seconds,
        method="POST",
        upload_bytes=UPLOAD_BYTES,
    )
    counted = counted._replace(work=stand.received_bytes() - before)
    rate = usage.sample(counted, counted.work / counted.seconds / MIB)
    return {"rate": rate} | _per_unit("cpu", rate, GIB)


def _load_websockets(stand: Stand, running: Running, seconds: int) -> dict[str, Sample]:
    usage = Usage(running.watch)
    counted = run_websockets(
        running.site.port,
        running.peer.path(running.site, "/ws"),
        core=stand.cores.load,
        connections=CONNECTIONS,
        seconds=seconds,
    )
    return {"rate": usage.sample(counted, counted.work / counted.seconds)}


def _per_unit(key: str, rate: Sample, factor: float) -> dict[str, Sample]:
    """Return the CPU time per unit of work as a separate sample, if there is one."""
    if rate.cpu_seconds is None:
        return {}
    return {key: Sample(rate.cpu_seconds * factor, others_share=rate.others_share)}


_CPU_EACH = Metric("cpu", "CPU per request", "µs", "less", 1)
_CPU_GIB = Metric("cpu", "CPU per GiB", "s", "less", 2)

LOADS: tuple[Scenario, ...] = (
    LoadScenario(
        key="forwards",
        title="Small forwards",
        method=f"GET of 1 KB JSON, {CONNECTIONS} kept-alive connections, with Origin",
        metrics=(Metric("rate", "forwards", "/s", "more"), _CPU_EACH),
        upstream="files",
        check=_check_file("1k.json"),
        load=load_requests,
    ),
    LoadScenario(
        key="varied",
        title="Forwards of which none repeats another",
        method=f"GET of 1 KB JSON, {CONNECTIONS} kept-alive connections, with a browser's fields; "
        "each request has a query and an X-Correlation-Id of its own, which its response has, too",
        metrics=(Metric("rate", "varied forwards", "/s", "more"), _CPU_EACH),
        upstream="files",
        check=_check_varied,
        load=lambda stand, running, seconds: load_requests(
            stand, running, seconds, fields=BROWSER_FIELDS, varied=VARIED_REQUESTS
        ),
    ),
    LoadScenario(
        key="tls-forwards",
        title="Small forwards to an upstream over TLS",
        method=f"GET of 1 KB JSON, {CONNECTIONS} kept-alive connections, with Origin; TLS 1.3 and"
        " AES-128-GCM between the peer and the upstream",
        metrics=(Metric("rate", "forwards", "/s", "more"), _CPU_EACH),
        upstream="tls",
        check=_check_file("1k.json"),
        load=load_requests,
        without_proxy=False,
    ),
    LoadScenario(
        key="preflights",
        title="Preflights",
        method=f"OPTIONS for PUT with two field names, {CONNECTIONS} kept-alive connections",
        metrics=(Metric("rate", "preflights", "/s", "more"), _CPU_EACH),
        upstream="files",
        check=lambda _stand, running: check_preflight(running.peer, running.site, "/1k.json"),
        load=lambda stand, running, seconds: load_requests(
            stand, running, seconds, method="OPTIONS"
        ),
        without_proxy=False,
    ),
    LoadScenario(
        key="bodies",
        title="100 KB bodies",
        method=f"GET of 100 KB JSON, {CONNECTIONS} kept-alive connections",
        metrics=(Metric("rate", "forwards of 100 KB", "/s", "more"), _CPU_EACH),
        upstream="files",
        check=_check_file("100k.json"),
        load=lambda stand, running, seconds: load_requests(
            stand, running, seconds, path="/100k.json"
        ),
    ),
    LoadScenario(
        key="downloads",
        title="64 MiB downloads",
        method=f"GET of 64 MiB, {BULK_CONNECTIONS} connections",
        metrics=(Metric("rate", "downloads", "MiB/s", "more"), _CPU_GIB),
        upstream="files",
        check=_check_file("64m.bin"),
        load=_load_downloads,
    ),
    LoadScenario(
        key="tls-downloads",
        title="64 MiB downloads from an upstream over TLS",
        method=f"GET of 64 MiB, {BULK_CONNECTIONS} connections; TLS 1.3 and AES-128-GCM between the"
        " peer and the upstream",
        metrics=(Metric("rate", "downloads", "MiB/s", "more"), _CPU_GIB),
        upstream="tls",
        check=_check_file("64m.bin"),
        load=_load_downloads,
        without_proxy=False,
    ),
    LoadScenario(
        key="uploads",
        title="64 MiB uploads",
        method=f"POST of 64 MiB, {BULK_CONNECTIONS} connections; counted where they arrive",
        metrics=(Metric("rate", "uploads", "MiB/s", "more"), _CPU_GIB),
        upstream="backend",
        check=lambda _stand, running: check_upload(running.peer, running.site, "/upload"),
        load=_load_uploads,
    ),
    LoadScenario(
        key="websockets",
        title="WebSocket echo",
        method=f"{CONNECTIONS} WebSockets, one message of 77 bytes on its way in each",
        metrics=(Metric("rate", "messages there and back", "/s", "more"),),
        upstream="backend",
        check=lambda _stand, running: check_websocket(running.peer, running.site, "/ws"),
        load=_load_websockets,
        websocket=True,
    ),
    LoadScenario(
        key="latency",
        title="Latency of one connection",
        method="GET of 1 KB JSON, one connection, one request at a time",
        metrics=(
            Metric("p50", "median", "µs", "less"),
            Metric("p99", "99th percentile", "µs", "less"),
        ),
        upstream="files",
        check=_check_file("1k.json"),
        load=_load_one,
    ),
)
