"""A response's fields in HTTP/2."""

from corsproxy.core.messages import ClientHead, Framing
from corsproxy.http2.response_fields import response_fields

DATE = b"Sun, 29 Nov 2026 13:00:00 GMT"


def test_names_are_lower_case_and_connection_fields_are_dropped() -> None:
    fields = (
        (b"Content-Type", b"text/plain"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"close"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Trailer", b"X-A"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    )
    head = ClientHead(201, b"Created", fields, Framing.CHUNKED)
    assert response_fields(head, DATE) == [
        (b":status", b"201"),
        (b"content-type", b"text/plain"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"date", DATE),
    ]


def test_a_date_that_is_there_stays_alone() -> None:
    head = ClientHead(200, b"OK", ((b"Date", DATE),), Framing.NONE, is_dated=True)
    assert response_fields(head, b"another") == [(b":status", b"200"), (b"date", DATE)]
