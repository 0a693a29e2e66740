"""The heads are values: equal by content, unchangeable, complete by default."""

import pytest

from corsproxy.core.messages import Framing, RequestHead, UpstreamRequest


def test_request_head_is_plain_http_1_1_unless_said_otherwise() -> None:
    head = RequestHead("GET", b"/", [])
    assert (head.minor_version, head.client, head.secure) == (1, "", False)


def test_heads_cannot_be_changed() -> None:
    request = UpstreamRequest("GET", b"/", [], Framing.NONE, repeatable=True)
    with pytest.raises(AttributeError):
        request.method = "POST"  # type: ignore[misc] # that it is refused is the point
