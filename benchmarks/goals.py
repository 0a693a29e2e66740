"""corsproxy's goals, and whether a run meets them."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.results import BASE, Results, measured


class Goal(NamedTuple):
    """A goal in words, the measured number, and its limit."""

    words: str
    value: float | None
    """None if the run did not measure it."""
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def goals(results: Results) -> list[Goal]:
    """Return every goal with the number that this run measured."""

    def ratio(scenario: str, peer: str, metric: str = "rate") -> float | None:
        found = measured(results, scenario, peer, metric)
        return found["ratio"] if found else None

    def own(scenario: str, metric: str) -> float | None:
        found = measured(results, scenario, BASE, metric)
        return found["median"] if found else None

    return [
        Goal("forwards: 1.5 × Envoy", ratio("forwards", "Envoy"), 1.5),
        Goal("forwards: 1.5 × Caddy", ratio("forwards", "Caddy"), 1.5),
        Goal("forwards: half of nginx", ratio("forwards", "nginx"), 0.5),
        Goal("forwards: 3 × the fastest Node proxy", _fastest_node(results, ratio), 3.0),
        Goal("varied: 1.5 × Envoy", ratio("varied", "Envoy"), 1.5),
        Goal("upstream over TLS: 1.5 × Envoy", ratio("tls-forwards", "Envoy"), 1.5),
        Goal("preflights: as many as Envoy", ratio("preflights", "Envoy"), 1.0),
        Goal("downloads of 64 MiB: as fast as Caddy", ratio("downloads", "Caddy"), 1.0),
        Goal("downloads of 64 MiB: as fast as Envoy", ratio("downloads", "Envoy"), 1.0),
        Goal("the same over TLS: as fast as Envoy", ratio("tls-downloads", "Envoy"), 1.0),
        Goal("uploads of 64 MiB: as fast as Caddy", ratio("uploads", "Caddy"), 1.0),
        Goal("WebSocket messages: half of nginx", ratio("websockets", "nginx"), 0.5),
        Goal(
            "median latency of one connection: at most 1.3 × nginx's",
            _times(ratio("latency", "nginx", "p50")),
            1.3,
            False,
        ),
        Goal("a decision: 10,000 entries at most 1.1 × 10 entries", _growth(own), 1.1, False),
        Goal("MiB idle: at most 45", own("memory", "idle"), 45, False),
        Goal("KiB per idle connection: at most 16", own("memory", "kept-alive"), 16, False),
        Goal("KiB per idle WebSocket: at most 20", own("memory", "websocket"), 20, False),
        Goal("KiB per stalled download: at most 110", own("memory", "stalled"), 110, False),
        Goal("what metrics leave of the rate: at least 95 %", own("metrics", "kept"), 95),
        Goal("what the inspector leaves of it: at least 90 %", own("inspector", "kept"), 90),
    ]


def _times(ratio: float | None) -> float | None:
    """Return how many times as much corsproxy needs, from how many times better it is."""
    return 1 / ratio if ratio else None


def _fastest_node(results: Results, ratio: Callable[..., float | None]) -> float | None:
    """Return the ratio to the fastest Node proxy."""
    nodes = [peer["name"] for peer in results["peers"] if peer["family"] == "node"]
    found = [value for name in nodes if (value := ratio("forwards", name)) is not None]
    return min(found, default=None)


def _growth(own: Callable[[str, str], float | None]) -> float | None:
    """Return how much more expensive decisions of the longest allowlist are, at worst."""
    growth = []
    for kind in ("forward", "preflight", "refused"):
        few, many = own("decisions", f"{kind}-10"), own("decisions", f"{kind}-10000")
        if few and many:
            growth.append(many / few)
    return max(growth, default=None)
