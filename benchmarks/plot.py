"""The main numbers as a picture: bars, one panel per question, corsproxy in colour.

The SVG is written by hand, so it needs no library, stays small, and follows the reader's light
or dark theme.
"""

from html import escape
from typing import NamedTuple

from benchmarks.results import BASE, NO_PROXY, Measured, Results

PANELS = (
    ("forwards", "rate", "Small forwards per second", "more is better"),
    ("preflights", "rate", "Preflights per second", "more is better"),
    ("websockets", "rate", "WebSocket messages per second, there and back", "more is better"),
    ("downloads", "rate", "Downloads, MiB per second", "more is better"),
    ("latency", "p99", "99th percentile of latency, µs", "less is better"),
    ("memory", "loaded", "Memory after load, MiB", "less is better"),
)

WIDTH = 1000
COLUMNS = 2
MARGIN = 24
GAP = 48
ROW = 22
BAR = 14
NAME_WIDTH = 158
VALUE_WIDTH = 104
TITLE_HEIGHT = 46
TOP = 64
FOOT = 40

TITLE = "The same CORS allowlist, one core each"

STYLE = """\
svg { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif; }
.ground { fill: #ffffff; } .title { fill: #1b1f24; font-weight: 600; }
.head { font-size: 20px; } .name, .value { fill: #3d444d; }
.hint { fill: #6b7580; font-size: 12px; } .bar { fill: #b8c2cc; }
.spread { stroke: #59636e; stroke-width: 1.5; }
.ours .bar { fill: #0b7a75; } .ours .name, .ours .value { fill: #0b5f5b; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; } .title { fill: #f0f3f6; } .name, .value { fill: #c5ccd3; }
  .hint { fill: #8d96a0; } .bar { fill: #48525d; } .spread { stroke: #9aa4ae; }
  .ours .bar { fill: #2bb3a8; } .ours .name, .ours .value { fill: #56d4c9; }
}"""


class Bar(NamedTuple):
    """One peer's number in a panel."""

    name: str
    measured: Measured


def svg(results: Results) -> str | None:
    """Return the picture; None if there is nothing to show."""
    panels = [
        (title, hint, bars)
        for scenario, metric, title, hint in PANELS
        if (bars := _bars(results, scenario, metric))
    ]
    if not panels:
        return None
    panel_width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    body = []
    y = float(TOP)
    for start in range(0, len(panels), COLUMNS):
        row = panels[start : start + COLUMNS]
        for column, (title, hint, bars) in enumerate(row):
            x = MARGIN + column * (panel_width + GAP)
            body.append(_panel(x, y, panel_width, title, hint, bars))
        y += TITLE_HEIGHT + ROW * max(len(bars) for *_, bars in row) + GAP / 2
    height = y + FOOT - GAP / 2
    machine = results["machine"].get("processor", "")
    foot = (
        f"Medians of {results['rounds']} alternating rounds, lines from the lowest to the "
        f"highest; ×: how many times better corsproxy is; {machine}, {results['date'][:10]}"
    )
    view = f'viewBox="0 0 {WIDTH} {height:.0f}"'
    size = f'width="{WIDTH}" height="{height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} {size} role="img" aria-labelledby="t">',
        '<title id="t">corsproxy and its peers doing the same job</title>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="ground" {size} rx="8"/>',
        f'<text class="title head" x="{MARGIN}" y="38">{TITLE}</text>',
        *body,
        f'<text class="hint" x="{MARGIN}" y="{height - 16:.0f}">{escape(foot)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(results: Results, scenario: str, metric: str) -> list[Bar]:
    """Return a panel's bars, best first. The load without a proxy is not a peer."""
    for found in results["scenarios"]:
        if found["key"] == scenario:
            better = {m["key"]: m["better"] for m in found["metrics"]}[metric]
            bars = [
                Bar(name, numbers[metric])
                for name, numbers in found["peers"].items()
                if metric in numbers and name != NO_PROXY
            ]
            return sorted(bars, key=lambda bar: bar.measured["median"], reverse=better == "more")
    return []


def _panel(x: float, y: float, width: float, title: str, hint: str, bars: list[Bar]) -> str:
    longest = max(bar.measured["high"] for bar in bars)
    room = width - NAME_WIDTH - VALUE_WIDTH
    parts = [
        f'<g transform="translate({x:.0f} {y:.0f})">',
        f'<text class="title" y="14">{escape(title)}</text>',
        f'<text class="hint" y="31">{escape(hint)}</text>',
    ]
    parts += [
        _row(index, bar, room / longest if longest else 0.0) for index, bar in enumerate(bars)
    ]
    parts.append("</g>")
    return "\n".join(parts)


def _row(index: int, bar: Bar, scale: float) -> str:
    number = bar.measured
    top = TITLE_HEIGHT + index * ROW
    middle = top + BAR / 2
    low, high = (NAME_WIDTH + number[end] * scale for end in ("low", "high"))
    value = f"{number['median']:,.0f}" if number["median"] >= 10 else f"{number['median']:.1f}"
    if bar.name != BASE and number["ratio"] is not None:
        value += f" · {number['ratio']:.2f}×"
    return (
        f'<g class="{"ours" if bar.name == BASE else "peer"}">'
        f'<text class="name" x="{NAME_WIDTH - 8}" y="{top + 11.5:.1f}" text-anchor="end">'
        f"{escape(bar.name)}</text>"
        f'<rect class="bar" x="{NAME_WIDTH}" y="{top}" '
        f'width="{max(1.0, number["median"] * scale):.1f}" height="{BAR}" rx="2"/>'
        f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<text class="value" x="{high + 8:.1f}" y="{top + 11.5:.1f}">{value}</text></g>'
    )
