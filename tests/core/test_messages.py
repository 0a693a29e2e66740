"""The heads are values: complete by default, and nothing can be added to them."""

import pytest

from corsproxy.core.messages import Framing, RequestHead, UpstreamRequest


def test_a_request_head_is_plain_http_1_1_by_default() -> None:
    head = RequestHead("GET", b"/", [])
    assert (head.minor_version, head.client, head.secure) == (1, "", False)


def test_heads_are_what_they_were_made_of_and_nothing_else() -> None:
    request = UpstreamRequest("GET", b"/", [], Framing.NONE, repeatable=True)
    assert not request.upgrade
    with pytest.raises(AttributeError):
        request.another = 1  # type: ignore[attr-defined] # that it is refused is the point
