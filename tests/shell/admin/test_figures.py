"""Figures: counted, added up, and sent between processes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.outcome.outcome import Outcome, Word
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.admin.figures import BUCKETS, Count, Duration, Figures
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.upstream.pool import PoolFigures
from tests import records

ALLOWED = Verdict(Kind.ACTUAL, Code.ORIGIN_ALLOWED, True, "shop")
PREFLIGHT = Verdict(Kind.PREFLIGHT, Code.HEADER_NOT_ALLOWED, False, "shop", None, "x-a")
DOWN = ALLOWED.replace(code=Code.UPSTREAM_UNREACHABLE)


UNUSED = PoolFigures("unix:/b", 0, 0, 0, 0, 0, 0, 0)


def record(
    verdict: Verdict = ALLOWED,
    method: str = "GET",
    status: int = 200,
    upstream_s: float | None = None,
) -> ExchangeRecord:
    fields = [(b"Origin", b"http://chosen-by-the-client.example")]
    changes = {"verdict": verdict, "method": method, "status": status, "upstream_s": upstream_s}
    return records.record(target=b"/chosen", fields=fields, **changes)


def counted(*records: ExchangeRecord) -> Figures:
    figures = Figures()
    for each in records:
        figures.exchange(each)
    return figures


def test_requests_are_counted_by_route_method_status_and_decision() -> None:
    figures = counted(record(), record(), record(status=503))
    assert figures.counts(Count.REQUESTS) == {
        ("shop", "GET", "2xx", "allowed", "none"): 2,
        ("shop", "GET", "5xx", "allowed", "none"): 1,
    }


@pytest.mark.parametrize(
    ("status", "name"), [(0, "none"), (101, "1xx"), (204, "2xx"), (499, "4xx"), (999, "9xx")]
)
def test_a_status_is_counted_by_its_class(status: int, name: str) -> None:
    assert list(counted(record(status=status)).counts(Count.REQUESTS)) == [
        ("shop", "GET", name, "allowed", "none")
    ]


def test_outcomes_are_counted() -> None:
    blocked = records.replaced(record(), outcome=Outcome(Word.BLOCKED, "InvalidAllowCredentials"))
    assert list(counted(blocked).counts(Count.REQUESTS)) == [
        ("shop", "GET", "2xx", "allowed", "blocked")
    ]


def test_preflights_are_counted_by_reason() -> None:
    figures = counted(record(PREFLIGHT, "OPTIONS", 204))
    assert figures.counts(Count.PREFLIGHTS) == {("shop", "refused", "header-not-allowed"): 1}


def test_refusals_are_counted_by_code() -> None:
    unlisted = ALLOWED.replace(code=Code.ORIGIN_NOT_ALLOWED, allowed=False)
    figures = counted(record(PREFLIGHT, "OPTIONS", 204), *[record(unlisted, status=403)] * 2)
    assert figures.counts(Count.REFUSALS) == {
        ("shop", "header-not-allowed"): 1,
        ("shop", "origin-not-allowed"): 2,
    }


def test_bytes_and_whole_durations_are_counted_by_route() -> None:
    figures = counted(
        records.replaced(record(), received=3, sent=100, duration_s=0.0004),
        records.replaced(record(DOWN, status=502), received=4, sent=200, duration_s=0.002),
    )
    assert figures.counts(Count.RECEIVED) == {("shop",): 7}
    assert figures.counts(Count.SENT) == {("shop",): 300}
    histogram = figures.seconds(Duration.WHOLE)["shop"]
    assert (histogram.counts[0], histogram.counts[2]) == (1, 1)
    assert histogram.total == pytest.approx(0.0024)


def test_upstream_failures_are_counted_by_kind() -> None:
    assert counted(record(DOWN, status=502)).counts(Count.UPSTREAM_ERRORS) == {
        ("shop", "upstream-unreachable"): 1
    }


def test_a_failure_inside_the_content_is_counted_too() -> None:
    cut = records.replaced(record(), error="upstream-truncated")
    left = records.replaced(record(), error="client-left")
    assert counted(cut, left).counts(Count.UPSTREAM_ERRORS) == {("shop", "upstream-truncated"): 1}


def test_durations_fall_into_buckets_bounds_included() -> None:
    histogram = counted(*(record(upstream_s=s) for s in (0.004, 0.005, 0.3, 60.0))).seconds(
        Duration.UPSTREAM
    )
    counts = histogram["shop"].counts
    assert counts[BUCKETS.index(0.005)] == 2
    assert counts[BUCKETS.index(0.5)] == 1
    assert counts[-1] == 1
    assert histogram["shop"].total == pytest.approx(60.309)


def test_nothing_is_counted_by_what_a_client_chose() -> None:
    unreadable = Verdict(Kind.UNREADABLE, Code.BAD_REQUEST, False)
    figures = counted(*(record(unreadable, f"M{number}", 400) for number in range(50)))
    assert figures.counts(Count.REQUESTS) == {("", "_OTHER", "4xx", "refused", "none"): 50}


def test_pools_of_one_upstream_are_counted_together() -> None:
    figures = Figures()
    one = UNUSED._replace(upstream="http://a", open=2, connects=3)
    figures.set_gauges(4, 5, [one, one._replace(open=1, connects=0), UNUSED])
    assert figures.in_flight == 4
    assert figures.upstreams["http://a"]["open"] == 3
    assert figures.upstreams["http://a"]["connects"] == 3
    assert figures.upstreams["unix:/b"]["open"] == 0
    figures.set_gauges(0, 0, [UNUSED])
    assert list(figures.upstreams) == ["unix:/b"]


def everything() -> Figures:
    figures = counted(
        record(upstream_s=0.1), record(PREFLIGHT, "OPTIONS", 204), record(DOWN, status=502)
    )
    figures.set_gauges(2, 9, [PoolFigures("http://a", 3, 1, 2, 0, 7, 1, 1)])
    return figures


def test_figures_arrive_as_they_were() -> None:
    sent = everything().as_json()
    assert Figures.from_json(json.loads(json.dumps(sent))).as_json() == sent


def test_figures_add_up() -> None:
    total = Figures()
    for each in (everything(), everything(), Figures()):
        total.add(each)
    assert total.counts(Count.REQUESTS)["shop", "GET", "2xx", "allowed", "none"] == 2
    assert total.counts(Count.PREFLIGHTS)["shop", "refused", "header-not-allowed"] == 2
    assert total.counts(Count.UPSTREAM_ERRORS)["shop", "upstream-unreachable"] == 2
    assert sum(total.seconds(Duration.UPSTREAM)["shop"].counts) == 2
    assert total.upstreams["http://a"]["connects"] == 14
    assert (total.in_flight, total.clients) == (4, 18)


VARIANTS = [
    records.replaced(record(verdict, method, status), outcome=outcome, error=error)
    for verdict in (ALLOWED, ALLOWED.replace(route=None), DOWN, PREFLIGHT)
    for method in ("GET", "".join(["P", "UT"]))
    for status, error in ((200, None), (502, "upstream-closed"))
    for outcome in (None, Outcome(Word.READABLE), Outcome(Word.BLOCKED, "x"))
]


@given(st.lists(st.sampled_from(VARIANTS), max_size=12))
def test_exchanges_in_any_order_are_counted_as_if_each_were_alone(
    several: list[ExchangeRecord],
) -> None:
    total = Figures()
    for each in several:
        total.add(counted(each))
    for which in Count:
        assert counted(*several).counts(which) == total.counts(which)


def test_an_ended_process_leaves_only_counters() -> None:
    figures = everything()
    figures.end()
    assert (figures.in_flight, figures.clients) == (0, 0)
    assert figures.upstreams["http://a"] == {
        **dict.fromkeys(Figures.NOW, 0),
        "connects": 7,
        "failed_connects": 1,
        "retries": 1,
    }
    assert figures.counts(Count.REQUESTS)["shop", "GET", "2xx", "allowed", "none"] == 1


def test_adding_does_not_change_the_added_figures() -> None:
    one, total = everything(), Figures()
    before = json.dumps(one.as_json())
    total.add(one)
    total.add(one)
    assert json.dumps(one.as_json()) == before


def test_held_exchanges_are_added_up_before_there_are_too_many() -> None:
    """Neither many kinds of exchanges nor many of one kind take more and more memory."""
    figures = Figures()
    told = records.replaced(record(), upstream_s=0.02, outcome=None)
    for number in range(3000):
        figures.exchange(records.replaced(told, status=100 + number % 900))
    for _ in range(3000):
        figures.exchange(told)
    held = figures._held
    assert len(held) <= 256
    assert max(each.count for each in held.values()) <= 256
    assert sum(figures.counts(Count.REQUESTS).values()) == 6000
    assert sum(figures.seconds(Duration.UPSTREAM)["shop"].counts) == 6000
    assert figures.seconds(Duration.UPSTREAM)["shop"].total == pytest.approx(120)
    assert figures.counts(Count.REQUESTS)["shop", "GET", "2xx", "allowed", "none"] > 3000
