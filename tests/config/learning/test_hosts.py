"""The names by which the proxy was called."""

from corsproxy.config.learning.hosts import Hosts, HostSeen, Request
from corsproxy.config.learning.observations import Observation, Seen
from corsproxy.core.page_call import PageCall

CALL = Observation(PageCall("http://localhost:5173", "/"), False, "")


def seen(name: str, *, refused: bool) -> Request:
    return Request(HostSeen(name, refused, "2026-11-29"), CALL)


def test_a_name_under_a_suffix_was_refused_and_another_teaches_nothing() -> None:
    hosts = Hosts(["a.test"])
    requests = [
        seen("x.a.test", refused=True),
        seen("xa.test", refused=True),
        seen("xa.test", refused=True),
        seen("used.test", refused=False),
        Request(None, None),
    ]
    assert list(hosts.calls(requests)) == [CALL._replace(refused=True), CALL]
    assert hosts.refused == {
        "x.a.test": Seen(1, "2026-11-29"),
        "xa.test": Seen(2, "2026-11-29"),
    }
    assert hosts.used == {"used.test"}


def test_strangers_cannot_fill_the_memory() -> None:
    hosts = Hosts()
    for refused in (True, False):
        list(hosts.calls(seen(f"h{i}.test", refused=refused) for i in range(10_050)))
    assert len(hosts.refused) == len(hosts.used) == 10_000
