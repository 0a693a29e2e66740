"""What the inspector keeps of exchanges while no page of it is open."""

import pytest

from corsproxy.core.decision import decide
from corsproxy.core.messages import ClientHead, Framing
from corsproxy.shell.admin.inspector.capture import Capture, Captured, Policies
from corsproxy.shell.admin.inspector.ring import Ring
from corsproxy.shell.admin.inspector.usage import Usage
from tests import policies

POLICY = policies.policy()


@pytest.fixture
def capture() -> Capture:
    ring, usage = Ring("run"), Usage()
    return Capture(ring, usage, Policies(POLICY, usage, ring))


def answered(capture: Capture, content: bytes) -> Captured:
    """Capture an exchange whose response has that content."""
    request = policies.request()
    exchange = capture.begins(request, POLICY, decide(POLICY, request), 1.0)
    exchange.response_begins(ClientHead(200, b"OK", [], Framing.LENGTH), content, None, 0.0)
    return exchange


def test_equal_contents_are_kept_once(capture: Capture) -> None:
    one, other = (answered(capture, b"".join([b"pol", b"led"])) for _ in range(2))
    assert one.answer_body.kept is other.answer_body.kept
    assert (one.answer_body.size, one.answer_body.kept) == (6, b"polled")


def test_another_content_is_another(capture: Capture) -> None:
    kept = [answered(capture, content).answer_body.kept for content in (b"one", b"two", b"one")]
    assert kept == [b"one", b"two", b"one"]
