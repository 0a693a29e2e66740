"""The scenario without sockets: the cost of a decision by size of the allowlist."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.cache import HERE, installed_project
from benchmarks.measure import Sample, run_load
from benchmarks.peer import Peer
from benchmarks.scenarios import Metric, Settings
from benchmarks.stand import Stand

SIZES = (10, 1_000, 10_000)
LOAD_SECONDS = 30.0


class Decisions:
    """`corsproxy.core`'s decisions in process; other programs have no such interface."""

    key = "decisions"
    title = "Cost of a decision"
    method = "corsproxy.core's `decide` in process, without I/O, by entries in the allowlist"
    metrics = tuple(
        Metric(f"{kind}-{size}", f"{kind}, {size:,} entries", "µs", "less", 2)
        for kind in ("forward", "preflight", "refused")
        for size in SIZES
    )
    most_rounds = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        return None if peer.family == "corsproxy" else "does not apply"

    @contextmanager
    def prepare(
        self, stand: Stand, _peer: Peer, _settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Yield a function that takes one sample of each metric, in a separate process."""

        def sample() -> dict[str, Sample]:
            program = [str(installed_project() / "python"), "-I", str(HERE / "decision_load.py")]
            costs = run_load(program, stand.cores.peer, LOAD_SECONDS)
            return {key: Sample(value / 1000) for key, value in costs.items()}

        yield sample
