"""A few hundred slow clients of every kind: each is dropped, and no other client notices."""

from pathlib import Path

from programs.soak.siege import SLOW, Waits, serve, siege
from tests.peers import RawPeer
from tests.running import running

CLIENTS = 240
LIMITS = (
    "limits: {head_timeout: 1s, body_timeout: 1s, write_timeout: 1s, connections: 400}\n"
    "log: {requests: none}\n"
)
KIB_FOR_EACH = 110
"""What one that reads nothing may cost; it costs most."""


async def test_slow_clients_are_dropped_while_others_are_served(tmp_path: Path) -> None:
    async with RawPeer(serve) as upstream, running(upstream, tmp_path, LIMITS) as proxy:
        report = await siege(proxy, CLIENTS, Waits(1, 1, 1))
    told = "\n".join(report.lines())
    assert report.connected == CLIENTS, told
    assert report.most_held > CLIENTS / 2, told
    assert report.failed == [], told
    assert len(report.healthy) > 20, told
    assert report.held_after == 0, told
    for kind in ("head", "body"):
        assert report.statuses[kind, "HTTP/1.1 408 Request Timeout"] == CLIENTS / len(SLOW), told
        assert report.waits[kind][0] > 0.9, told
    before, most, _ = report.memory_kib
    assert most - before < KIB_FOR_EACH * CLIENTS, told
    assert report.descriptors[2] < report.descriptors[0] + 20, told
