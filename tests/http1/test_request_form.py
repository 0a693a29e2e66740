"""http1/request_form.py: a request's head as bytes."""

import pytest

from corsproxy.core.messages import Framing, UpstreamRequest
from corsproxy.http1.request_form import RequestForm
from tests.exchanges import make_request


def test_a_head_is_its_lines() -> None:
    request = make_request("GET", b"/a?b", (b"x-A", b"caf\xe9"), (b"X-B", b""))
    assert RequestForm().serialize(request) == (
        b"GET /a?b HTTP/1.1\r\nHost: api.test\r\nx-A: caf\xe9\r\nX-B: \r\n\r\n"
    )


def test_a_forward_proxy_gets_absolute_form_and_its_fields() -> None:
    form = RequestForm(b"http://api.test", ((b"Proxy-Authorization", b"Basic eA=="),))
    assert form.serialize(make_request()) == (
        b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n"
        b"Proxy-Authorization: Basic eA==\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (b"/\r\nX-Evil: 1", (b"A", b"b")),
        (b"/\nX", (b"A", b"b")),
        (b"/\rX", (b"A", b"b")),
        (b"/", (b"A", b"b\r\n\r\nGET /evil HTTP/1.1")),
        (b"/", (b"A", b"b\nX-Evil: 1")),
        (b"/", (b"A\r\nB", b"b")),
    ],
)
def test_no_request_becomes_two(target: bytes, field: tuple[bytes, bytes]) -> None:
    request = UpstreamRequest("GET", target, (field,), Framing.NONE, True)
    with pytest.raises(ValueError, match=r"line break|white space"):
        RequestForm().serialize(request)
