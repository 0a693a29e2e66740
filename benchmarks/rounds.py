"""Rounds: every peer in turn, repeatedly, so that a slow minute affects them all."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.cache import MissingError
from benchmarks.checks import DisqualifiedError
from benchmarks.measure import LoadError, Sample, Series
from benchmarks.peer import Peer
from benchmarks.processes import ProcessError
from benchmarks.scenarios import Scenario, Settings
from benchmarks.stand import Stand

Tell = Callable[[str], None]
"""Shows one line of progress."""


@dataclass(frozen=True)
class Outcome:
    """A scenario's result: series by peer and metric, and the reasons of peers without one."""

    scenario: Scenario
    series: dict[str, dict[str, Series]] = field(default_factory=dict)
    excuses: dict[str, str] = field(default_factory=dict)


def run(
    stand: Stand, scenario: Scenario, peers: Sequence[Peer], settings: Settings, tell: Tell
) -> Outcome:
    """Measure `scenario` for every peer that supports it. A peer that fails is excused with the
    reason, and loses all its samples."""
    outcome = Outcome(scenario)
    samples: dict[str, list[dict[str, Sample]]] = {}
    with ExitStack() as stack:
        ready: dict[str, Callable[[], dict[str, Sample]]] = {}
        for peer in peers:
            excuse = peer.excuse(scenario.key) or scenario.excuse(peer)
            if excuse is not None:
                outcome.excuses[peer.name] = excuse
                continue
            try:
                ready[peer.name] = stack.enter_context(scenario.prepare(stand, peer, settings))
            except _FAILURES as error:
                outcome.excuses[peer.name] = _reason(error)
                tell(f"{scenario.key}: {peer.name}: {_reason(error)}")
        rounds = min(settings.rounds, scenario.most_rounds or settings.rounds)
        for number in range(rounds):
            # Forwards and backwards, so that no peer always follows the same one.
            order = list(ready) if number % 2 == 0 else list(reversed(ready))
            for name in order:
                try:
                    taken = ready[name]()
                except _FAILURES as error:
                    outcome.excuses[name] = _reason(error)
                    tell(f"{scenario.key}: {name}: {_reason(error)}")
                    del ready[name]
                    continue
                samples.setdefault(name, []).append(taken)
                tell(f"{scenario.key} {number + 1}/{rounds}: {name}: {_line(scenario, taken)}")
    for name in ready:
        outcome.series[name] = {
            metric.key: Series(tuple(taken[metric.key] for taken in samples[name]))
            for metric in scenario.metrics
            if metric.key in samples[name][0]
        }
    return outcome


_FAILURES = (DisqualifiedError, LoadError, MissingError, ProcessError)


def _reason(error: Exception) -> str:
    return f"disqualified: {error}" if isinstance(error, DisqualifiedError) else str(error)


def _line(scenario: Scenario, taken: dict[str, Sample]) -> str:
    return ", ".join(
        f"{taken[metric.key].value:,.{metric.digits}f} {metric.unit} {metric.title}"
        for metric in scenario.metrics
        if metric.key in taken
    )
