"""What the admin listener reads of a request."""

from http import HTTPStatus

import pytest

from corsproxy.shell.admin.requests import AdminRequests, RefusedRequestError


def test_a_request_is_read_however_it_arrives() -> None:
    requests = AdminRequests()
    received = b"GET /metrics?a=b HTTP/1.1\r\nHost: localhost \r\nACCEPT: text/plain\r\n\r\n"
    found = [each for byte in received for each in requests.feed(bytes([byte]))]
    assert found == AdminRequests().feed(received)
    (request,) = found
    assert (request.method, request.target) == ("GET", b"/metrics?a=b")
    assert (request.hosts, request.accept) == ((b"localhost",), "text/plain")
    assert (request.minor_version, request.keep_alive) == (1, True)


def test_each_request_has_fields_of_its_own() -> None:
    first, second = AdminRequests().feed(
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nAccept: */*\r\n\r\n"
        b"HEAD /readyz HTTP/1.1\r\nHost: c\r\n\r\n"
    )
    assert (first.target, first.hosts, first.accept) == (b"/livez", (b"a", b"b"), "*/*")
    assert (second.target, second.hosts, second.accept) == (b"/readyz", (b"c",), "")


@pytest.mark.parametrize(
    ("line", "keep_alive"),
    [
        (b"Accept: */*", True),
        (b"Content-Length: 0", True),
        (b"Connection: close", False),
        (b"Content-Length: 3", False),
        (b"Transfer-Encoding: chunked", False),
        (b"Connection: Upgrade\r\nUpgrade: websocket", False),
        (b"Upgrade: h2c", False),
    ],
)
def test_nothing_follows_a_request_that_has_something_behind_it(
    line: bytes, keep_alive: bool
) -> None:
    (request,) = AdminRequests().feed(b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")
    assert request.keep_alive is keep_alive


def test_the_older_version_ends_the_connection() -> None:
    (request,) = AdminRequests().feed(b"GET / HTTP/1.0\r\n\r\n")
    assert (request.hosts, request.minor_version, request.keep_alive) == ((), 0, False)


def test_what_is_broken_behind_a_request_does_not_keep_it_from_its_answer() -> None:
    (request,) = AdminRequests().feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x00\x01\r\n\r\n")
    assert (request.target, request.keep_alive) == (b"/", False)


@pytest.mark.parametrize(
    "received",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(received: bytes) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        AdminRequests().feed(received)
    assert caught.value.status is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("piece", [b"x" * 1000, b"x: y\r\n" * 200])
def test_a_head_without_end_is_refused(piece: bytes) -> None:
    requests = AdminRequests()
    requests.feed(b"GET / HTTP/1.1\r\nHost: a\r\nx: ")
    for _ in range(10):
        requests.feed(piece)
    with pytest.raises(RefusedRequestError) as caught:
        requests.feed(piece * 10)
    assert caught.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
