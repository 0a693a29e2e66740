"""The results as tables: aligned text for a terminal, Markdown for the repository."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.goals import goals
from benchmarks.results import BASE, NO_PROXY, Measured, MetricFacts, Results, ScenarioResults

NOTHING = "–"

SUMMARY = (
    ("forwards", "rate", "forwards"),
    ("varied", "rate", "varied"),
    ("preflights", "rate", "preflights"),
    ("bodies", "rate", "100 KB"),
    ("downloads", "rate", "downloads"),
    ("uploads", "rate", "uploads"),
    ("websockets", "rate", "WebSocket"),
    ("latency", "p50", "p50"),
    ("latency", "p99", "p99"),
    ("memory", "idle", "memory"),
    ("startup", "seconds", "start-up"),
)
"""Scenario, metric and heading of each column of the ratio table."""

MOST_WIDE_METRICS = 3
"""Scenarios with more metrics show only values, to fit a page."""

INTRODUCTION = """\
Written by `benchmarks/run`; [README.md](README.md) says what is measured, and how to
repeat it. Every peer did the same job: an allowlist with one origin in front of the same
upstream, one worker on the same core, no request log. The peers took turns within each
round; a number is the median of the rounds, a ratio the median of the rounds' ratios.
"""


class Table(NamedTuple):
    """Rows of text under headings. The first column is a name, the others are numbers."""

    headings: list[str]
    rows: list[list[str]]
    text_columns: frozenset[int] = frozenset({0})

    def text(self) -> str:
        """Return the table aligned with spaces."""
        widths = self._widths()
        lines = [self._line(row, widths, "  ") for row in (self.headings, *self.rows)]
        return "\n".join(line.rstrip() for line in lines)

    def markdown(self) -> str:
        """Return the table as Markdown, aligned for readers of the source."""
        widths = self._widths()
        rule = [
            "-" * width if index in self.text_columns else "-" * (width - 1) + ":"
            for index, width in enumerate(widths)
        ]
        rows = (self.headings, rule, *self.rows)
        return "\n".join(f"| {self._line(row, widths, ' | ')} |" for row in rows)

    def _widths(self) -> list[int]:
        columns = zip(self.headings, *self.rows, strict=True)
        return [max(3, *map(len, column)) for column in columns]

    def _line(self, cells: Sequence[str], widths: Sequence[int], between: str) -> str:
        return between.join(
            cell.ljust(width) if index in self.text_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )


def ratio_table(results: Results) -> Table:
    """Return how many times better corsproxy is than each peer, by scenario."""
    scenarios = {scenario["key"]: scenario for scenario in results["scenarios"]}
    columns = [column for column in SUMMARY if column[0] in scenarios]
    names = [p["name"] for p in results["peers"] if p["name"] not in (BASE, NO_PROXY)]
    rows = []
    for name in names:
        cells = [
            _ratio(scenarios[key]["peers"].get(name, {}).get(metric))
            for key, metric, _heading in columns
        ]
        rows.append([name, *cells])
    return Table(["corsproxy against", *(heading for *_, heading in columns)], rows)


def goal_table(results: Results) -> Table:
    """Return corsproxy's goals and whether this run met them."""
    words = {True: "yes", False: "no", None: "not measured"}
    rows = [
        [goal.words, NOTHING if goal.value is None else f"{goal.value:.2f}", words[goal.met]]
        for goal in goals(results)
    ]
    return Table(["goal", "found", "met"], rows, frozenset({0, 2}))


def scenario_table(scenario: ScenarioResults) -> Table:
    """Return a scenario's numbers, best peer first, peers without numbers last."""
    metrics = scenario["metrics"]
    if len(metrics) > MOST_WIDE_METRICS and len(scenario["peers"]) == 1:
        return _single_peer_table(scenario)
    brief = len(metrics) > MOST_WIDE_METRICS
    headings = ["peer"]
    for metric in metrics:
        headings.append(f"{metric['title']}, {metric['unit']}")
        headings += [] if brief else ["spread", "ratio"]
    rows = []
    for name in _ranking(scenario):
        cells = [name]
        for metric in metrics:
            number = scenario["peers"][name].get(metric["key"])
            cells.append(_value(number, metric))
            cells += [] if brief else [_spread(number), _ratio(number)]
        rows.append(cells)
    return Table(headings, rows)


def _single_peer_table(scenario: ScenarioResults) -> Table:
    """Return many numbers of one peer, one per row."""
    ((name, found),) = scenario["peers"].items()
    rows = []
    for metric in scenario["metrics"]:
        number = found.get(metric["key"])
        title = f"{metric['title']}, {metric['unit']}"
        rows.append([title, _value(number, metric), _spread(number)])
    return Table([name, "median", "spread"], rows)


def text(results: Results) -> str:
    """Return the text for the terminal: every scenario, then ratios and goals."""
    parts = []
    for scenario in results["scenarios"]:
        parts += [f"{scenario['title']}: {scenario['method']}", scenario_table(scenario).text()]
        parts += _remarks(scenario)
        parts.append("")
    parts.append(f"How many times better corsproxy is (below 1: worse); {_extent(results)}")
    parts += [ratio_table(results).text(), "", goal_table(results).text(), ""]
    parts += [f"not measured: {name}: {why}" for name, why in results["missing"].items()]
    return "\n".join(parts)


def markdown(results: Results, plot: str) -> str:
    """Return RESULTS.md. `plot` is the path of the picture, relative to it."""
    parts = ["# Results", INTRODUCTION, f"![The main numbers as bars]({plot})"]
    parts += ["## corsproxy against its peers"]
    parts += ["How many times better corsproxy is; below 1: worse."]
    parts.append(ratio_table(results).markdown())
    parts += ["## Goals", goal_table(results).markdown()]
    for scenario in results["scenarios"]:
        parts += [
            f"## {scenario['title']}",
            f"{scenario['method'][0].upper()}{scenario['method'][1:]}.",
        ]
        parts.append(scenario_table(scenario).markdown())
        remarks = _remarks(scenario)
        if remarks:
            parts.append("\n".join(f"* {remark}" for remark in remarks))
    parts += ["## Peers", _peer_table(results).markdown()]
    if results["missing"]:
        missing = (f"* {name}: {why}" for name, why in results["missing"].items())
        parts += ["Not measured:", "\n".join(missing)]
    parts += ["## The machine", _machine_table(results).markdown(), _extent(results) + "."]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _peer_table(results: Results) -> Table:
    rows = [
        [peer["name"], peer["version"], peer["about"], peer["unlisted"]]
        for peer in results["peers"]
    ]
    headings = ["peer", "version", "set up", "request from an unlisted origin"]
    return Table(headings, rows, frozenset(range(4)))


def _machine_table(results: Results) -> Table:
    rows = [[key, value] for key, value in results["machine"].items()]
    return Table(["", ""], rows, frozenset({0, 1}))


def _extent(results: Results) -> str:
    return (
        f"{results['rounds']} rounds of {results['seconds']} s on {results['date']}, "
        f"corsproxy at {results['commit']}"
    )


def _ranking(scenario: ScenarioResults) -> list[str]:
    """Return the peers by the scenario's first metric, best first."""
    first = scenario["metrics"][0]

    def rank(name: str) -> float:
        number = scenario["peers"][name].get(first["key"])
        if number is None:
            return float("inf")
        return number["median"] if first["better"] == "less" else -number["median"]

    return sorted(scenario["peers"], key=rank)


def _value(number: Measured | None, metric: MetricFacts) -> str:
    return NOTHING if number is None else f"{number['median']:,.{metric['digits']}f}"


def _spread(number: Measured | None) -> str:
    """Return the deviation of the rounds from the median, as -a/+b percent."""
    if number is None or number["median"] <= 0:
        return NOTHING
    median = number["median"]
    return f"-{1 - number['low'] / median:.0%} +{number['high'] / median - 1:.0%}"


def _ratio(number: Measured | None) -> str:
    if number is None or number["ratio"] is None:
        return NOTHING
    return f"{number['ratio']:.2f}×"


def _remarks(scenario: ScenarioResults) -> list[str]:
    """Return what a reader must know before trusting a number."""
    remarks = []
    for name, found in scenario["peers"].items():
        doubts = dict.fromkeys(doubt for number in found.values() for doubt in number["doubts"])
        if doubts:
            remarks.append(f"{name}: {', '.join(doubts)}")
    remarks += [f"{name}: not measured: {why}" for name, why in scenario["excuses"].items()]
    return [remark for remark in remarks if not remark.endswith("does not apply")]
