"""`deploy/` documents exactly the metrics and logs of the proxy."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from corsproxy.core.outcome.outcome import Outcome, Word
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.admin.figures import Snapshot, WorkerState
from corsproxy.shell.admin.metrics import exposition
from corsproxy.shell.feed.announcements import dropped_lines
from corsproxy.shell.feed.journal import JsonLines
from tests.policies import policy
from tests.shell.admin import test_figures
from tests.shell.feed import test_announcements, test_journal

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
MANUAL = (DEPLOY / "OPERATING.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboard.json").read_text())

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? ")
# What a histogram adds to its name, and Prometheus to every sample.
HISTOGRAM = re.compile(r"_(?:bucket|count|sum|created)$")
SCRAPED = {"job", "instance"}


def samples() -> dict[str, set[str]]:
    """The labels of every sample that a scrape can have, by its name."""
    workers = [WorkerState(True, 1, 2), WorkerState(True, 0, 0)]
    snapshot = Snapshot(test_figures.everything(), True, 0.0, workers)
    found: dict[str, set[str]] = {}
    for line in exposition(snapshot, "")[0].decode().splitlines():
        sample = SAMPLE.match(line)
        if sample is not None:
            found[sample[1]] = set(re.findall(r'(\w+)="', sample[2] or ""))
    return found


def documented(heading: str) -> Iterator[list[str]]:
    """The cells of the rows below a heading."""
    section = MANUAL.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


# Metrics


def test_every_metric_has_its_row_with_its_labels() -> None:
    shown = {HISTOGRAM.sub("", name): labels - {"le"} for name, labels in samples().items()}
    rows = {names(row[0])[0]: set(names(row[2])) for row in documented("Metrics")}
    assert rows == shown


@pytest.mark.parametrize("expression", expressions())
def test_the_dashboard_asks_for_metrics_and_labels_that_exist(expression: str) -> None:
    known = samples()
    found = re.findall(r"((?:corsproxy|process)_\w+)\{([^}]*)\}", expression)
    assert found
    labels = SCRAPED.union(*(known[name] for name, _ in found))
    for _, matchers in found:
        assert set(re.findall(r"(\w+)[=!]", matchers)) <= labels
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.findall(r"\w+", grouped)) <= labels
    assert re.findall(r"(?:corsproxy|process)_\w+", expression) == [name for name, _ in found]
    assert expression.count("(") == expression.count(")")
    # A sum over instances is taken of rates: a counter that starts again is no fall.
    assert not re.search(r"rate\(sum", expression)


def test_legends_use_existing_labels() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            kept = set(re.findall(r"\w+", grouped[1])) if grouped else {"worker", *SCRAPED}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


def test_the_dashboard_shows_every_metric() -> None:
    asked = set(re.findall(r"(?:corsproxy|process)_\w+", " ".join(expressions())))
    assert {HISTOGRAM.sub("", name) for name in asked} == {
        HISTOGRAM.sub("", name) for name in samples()
    }


def test_panels_have_distinct_places_and_ids() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


# Logs


CALLER = [
    (b"Host", b"localhost:8010"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"X-Request-ID", b"r-1"),
    (b"X-Forwarded-For", b"192.0.2.1"),
    (b"Access-Control-Request-Method", b"PATCH"),
    (b"Access-Control-Request-Headers", b"x-a"),
]


def test_every_member_of_a_request_has_its_row() -> None:
    verdict = Verdict(
        Kind.PREFLIGHT,
        Code.METHOD_NOT_ALLOWED,
        False,
        "shop",
        Source("corsproxy.yaml", 6, 18),
        "PATCH",
    )
    trace = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    record = test_journal.record(
        verdict=verdict,
        fields=[(b"Origin", b"http://a"), trace, *CALLER],
        client="10.0.0.1",
        policy=policy(trusted_proxies=(ip_network("10.0.0.0/8"),)),
        forward=test_journal.FORWARD,
        upstream_s=0.1,
        outcome=Outcome(Word.BLOCKED, "AllowOriginMismatch", location=b"https://sso.example.com/"),
        error="client-left",
        detail="it was down",
    )
    told = [name for row in documented("Logs") for name in names(row[0])]
    members = list(json.loads(JsonLines().exchange(record)))
    events = {event["event"] for event in said()}
    assert sorted(set(told) - events) == sorted(members)


def test_every_event_has_its_row_with_its_members() -> None:
    rows = {names(row[0])[0]: set(names(row[1])) for row in documented("Logs")}
    for event in said():
        members = set(event) - {"ts", "level", "event"}
        assert members <= rows[event["event"]]


def said() -> list[dict[str, Any]]:
    """One of each event."""
    lines = test_announcements.Said("json")
    test_announcements.everything(lines.announcer)
    return [*lines.objects, json.loads(dropped_lines("json")(1))]
