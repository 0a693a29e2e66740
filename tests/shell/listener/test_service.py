"""What all connections share."""

from corsproxy.shell.listener.service import Service
from tests.fakes import FakeUpstream
from tests.policies import policy


def test_a_service_begins_by_serving() -> None:
    rules, upstream = policy(), FakeUpstream()
    service = Service(rules, upstream, None)
    assert (service.policy, service.upstream, service.journal) == (rules, upstream, None)
    assert not service.draining
