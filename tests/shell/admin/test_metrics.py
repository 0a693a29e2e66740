"""The metrics page."""

from corsproxy.shell.admin.figures import Figures, Snapshot, WorkerState
from corsproxy.shell.admin.metrics import exposition
from tests.shell.admin.test_figures import counted, everything, record

MOMENT = 1763683262.0


def scraped(figures: Figures, *workers: WorkerState) -> list[str]:
    snapshot = Snapshot(figures, False, MOMENT, workers)
    body, content_type = exposition(snapshot, "text/plain")
    assert content_type.startswith("text/plain")
    return body.decode().splitlines()


def test_counts_have_their_labels() -> None:
    lines = scraped(everything())
    labels = 'decision="allowed",method="GET",outcome="none",route="shop",status_class='
    assert f'corsproxy_requests_total{{{labels}"2xx"}} 1.0' in lines
    assert f'corsproxy_requests_total{{{labels}"5xx"}} 1.0' in lines
    assert (
        'corsproxy_preflights_total{decision="refused",reason="header-not-allowed",route="shop"}'
        " 1.0"
    ) in lines
    assert (
        'corsproxy_upstream_errors_total{kind="upstream-unreachable",route="shop"} 1.0'
    ) in lines


def test_buckets_are_cumulative() -> None:
    figures = counted(*(record(upstream_s=seconds) for seconds in (0.004, 0.005, 0.3, 60.0)))
    lines = scraped(figures)
    name = "corsproxy_upstream_duration_seconds"
    assert f'{name}_bucket{{le="0.005",route="shop"}} 2.0' in lines
    assert f'{name}_bucket{{le="0.5",route="shop"}} 3.0' in lines
    assert f'{name}_bucket{{le="10.0",route="shop"}} 3.0' in lines
    assert f'{name}_bucket{{le="+Inf",route="shop"}} 4.0' in lines
    assert f'{name}_count{{route="shop"}} 4.0' in lines


def test_each_upstream_has_its_connections() -> None:
    lines = scraped(everything())
    for name, value in (
        ("connections", 3),
        ("connections_idle", 1),
        ("in_flight", 2),
        ("waiting", 0),
        ("connects_total", 7),
        ("connect_failures_total", 1),
        ("retries_total", 1),
    ):
        assert f'corsproxy_upstream_{name}{{upstream="http://a"}} {value}.0' in lines


def test_gauges_show_the_current_state() -> None:
    lines = scraped(everything())
    assert "corsproxy_in_flight 2.0" in lines
    assert "corsproxy_client_connections 9.0" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert "corsproxy_config_last_reload_successful 0.0" in lines
    assert "corsproxy_config_last_reload_timestamp_seconds 1.763683262e+09" in lines
    assert any(line.startswith('corsproxy_build_info{version="') for line in lines)


def test_workers_have_their_own_labels() -> None:
    assert not [line for line in scraped(Figures()) if "corsproxy_worker" in line]
    lines = scraped(Figures(), WorkerState(True, 0, 5), WorkerState(False, 3, 0))
    assert 'corsproxy_worker_up{worker="0"} 1.0' in lines
    assert 'corsproxy_worker_up{worker="1"} 0.0' in lines
    assert 'corsproxy_worker_restarts_total{worker="1"} 3.0' in lines
    assert 'corsproxy_worker_in_flight{worker="0"} 5.0' in lines


def test_openmetrics_is_sent_on_request() -> None:
    snapshot = Snapshot(everything(), True, MOMENT)
    body, content_type = exposition(snapshot, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
