"""The results of a run as one value that is written and read as JSON.

`report` and `plot` use nothing else, so results can be redrawn without measuring again.
"""

import json
import statistics
from pathlib import Path
from typing import TypedDict, cast

from benchmarks.measure import Series
from benchmarks.rounds import Outcome
from benchmarks.scenarios import Metric

BASE = "corsproxy"
"""The peer that all others are compared with."""
NO_PROXY = "no proxy"


class PeerFacts(TypedDict):
    """A measured peer."""

    name: str
    family: str
    version: str
    about: str
    unlisted: str
    """What it does with a request from an unlisted origin."""


class MetricFacts(TypedDict):
    """One number of a scenario."""

    key: str
    title: str
    unit: str
    better: str
    digits: int


class Measured(TypedDict):
    """One number of one peer, over all rounds."""

    values: list[float]
    median: float
    low: float
    high: float
    ratio: float | None
    """How many times better (above 1) or worse (below 1) corsproxy is: the median of the
    rounds' ratios, so that a slow minute of the machine cancels out."""
    doubts: list[str]


class ScenarioResults(TypedDict):
    """One scenario: its numbers by peer and metric, and why a peer has none."""

    key: str
    title: str
    method: str
    metrics: list[MetricFacts]
    peers: dict[str, dict[str, Measured]]
    excuses: dict[str, str]


class Results(TypedDict):
    """All results of one run."""

    date: str
    commit: str
    machine: dict[str, str]
    rounds: int
    seconds: int
    peers: list[PeerFacts]
    missing: dict[str, str]
    """Peers that could not be measured at all, and why."""
    scenarios: list[ScenarioResults]


def of_outcome(outcome: Outcome) -> ScenarioResults:
    """Return a scenario's results, compared with corsproxy."""
    scenario = outcome.scenario
    base = outcome.series.get(BASE, {})
    return {
        "key": scenario.key,
        "title": scenario.title,
        "method": scenario.method,
        "metrics": [
            {"key": m.key, "title": m.title, "unit": m.unit, "better": m.better, "digits": m.digits}
            for m in scenario.metrics
        ],
        "peers": {
            name: {
                metric.key: _measured(metric, series[metric.key], base.get(metric.key))
                for metric in scenario.metrics
                if metric.key in series
            }
            for name, series in outcome.series.items()
        },
        "excuses": outcome.excuses,
    }


def _measured(metric: Metric, series: Series, base: Series | None) -> Measured:
    return {
        "values": [sample.value for sample in series.samples],
        "median": series.median,
        "low": series.low,
        "high": series.high,
        "ratio": None if base is None else _ratio(metric, series, base),
        "doubts": series.doubts(),
    }


def _ratio(metric: Metric, series: Series, base: Series) -> float | None:
    """Return the median of the rounds' ratios; None if one would divide by zero."""
    pairs = [(b.value, s.value) for b, s in zip(base.samples, series.samples, strict=False)]
    if metric.better == "less":
        pairs = [(theirs, ours) for ours, theirs in pairs]
    if any(over <= 0 or under <= 0 for over, under in pairs):
        return None
    return statistics.median(over / under for over, under in pairs)


def measured(results: Results, scenario: str, peer: str, metric: str) -> Measured | None:
    """Return one number; None if it was not measured."""
    for found in results["scenarios"]:
        if found["key"] == scenario:
            return found["peers"].get(peer, {}).get(metric)
    return None


def write(results: Results, path: Path) -> None:
    """Write the results as JSON."""
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Results:
    """Read what `write` has written. Raises OSError and ValueError."""
    return cast(Results, json.loads(path.read_text()))
