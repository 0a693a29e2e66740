"""What a scrape says."""

import sys

import pytest

from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.metrics import Gauges, Metrics, MetricsUnavailableError
from corsproxy.shell.records import ExchangeRecord

GAUGES = Gauges(in_flight=3, reload_successful=False, reload_timestamp=1763683262.0)
ALLOWED = Verdict(Kind.ACTUAL, Code.ORIGIN_ALLOWED, True, "shop")


def record(
    verdict: Verdict = ALLOWED,
    method: str = "GET",
    status: int = 200,
    upstream_s: float | None = None,
) -> ExchangeRecord:
    origin = (b"Origin", b"http://chosen-by-the-client.example")
    return ExchangeRecord(
        0.0,
        0.1,
        "127.0.0.1",
        method,
        b"/chosen",
        status,
        [origin],
        verdict,
        10,
        0,
        upstream_s,
        None,
    )


def scraped(*records: ExchangeRecord) -> list[str]:
    metrics = Metrics()
    for each in records:
        metrics.observe(each)
    body, content_type = metrics.exposition("text/plain", GAUGES)
    assert content_type.startswith("text/plain")
    return body.decode().splitlines()


def test_requests_are_counted_by_route_method_status_and_decision() -> None:
    lines = scraped(record(), record(), record(status=503))
    labels = 'decision="allowed",method="GET",route="shop",status_class='
    assert f'corsproxy_requests_total{{{labels}"2xx"}} 2.0' in lines
    assert f'corsproxy_requests_total{{{labels}"5xx"}} 1.0' in lines


def test_preflights_are_counted_by_reason() -> None:
    refused = Verdict(Kind.PREFLIGHT, Code.HEADER_NOT_ALLOWED, False, "shop", None, "x-a")
    assert (
        'corsproxy_preflights_total{decision="refused",reason="header-not-allowed",route="shop"}'
        " 1.0"
    ) in scraped(record(refused, "OPTIONS", 204))


def test_upstream_failures_are_counted_by_kind() -> None:
    down = ALLOWED._replace(code=Code.UPSTREAM_UNREACHABLE)
    assert (
        'corsproxy_upstream_errors_total{kind="upstream-unreachable",route="shop"} 1.0'
    ) in scraped(record(down, status=502))


def test_upstream_durations_fall_into_cumulative_buckets() -> None:
    lines = scraped(*(record(upstream_s=seconds) for seconds in (0.004, 0.005, 0.3, 60.0)))
    name = "corsproxy_upstream_duration_seconds"
    assert f'{name}_bucket{{le="0.005",route="shop"}} 2.0' in lines
    assert f'{name}_bucket{{le="0.5",route="shop"}} 3.0' in lines
    assert f'{name}_bucket{{le="10.0",route="shop"}} 3.0' in lines
    assert f'{name}_bucket{{le="+Inf",route="shop"}} 4.0' in lines
    assert f'{name}_count{{route="shop"}} 4.0' in lines


def test_the_state_of_the_moment() -> None:
    lines = scraped()
    assert "corsproxy_in_flight 3.0" in lines
    assert "corsproxy_config_last_reload_successful 0.0" in lines
    assert "corsproxy_config_last_reload_timestamp_seconds 1.763683262e+09" in lines
    assert any(line.startswith('corsproxy_build_info{version="') for line in lines)


def test_no_label_holds_what_a_client_chose() -> None:
    unknown = Verdict(Kind.UNREADABLE, Code.BAD_REQUEST, False)
    lines = scraped(*(record(unknown, f"M{number}", 400) for number in range(50)))
    assert not [line for line in lines if "chosen" in line or "M1" in line]
    assert len([line for line in lines if line.startswith("corsproxy_requests_total{")]) == 1
    assert any('method="_OTHER"' in line for line in lines)


def test_open_metrics_is_offered_to_who_asks_for_it() -> None:
    body, content_type = Metrics().exposition("application/openmetrics-text; version=1.0.0", GAUGES)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_without_prometheus_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MetricsUnavailableError, match=r"pip install 'corsproxy\[metrics\]'"):
        Metrics().exposition("", GAUGES)
