"""http1/writer.py: heads as bytes."""

import re

import pytest

from corsproxy.core.messages import ClientHead, Framing, UpstreamRequest
from corsproxy.http1.writer import RequestForm, head_bytes, serialize_fields
from tests.exchanges import make_request


def test_a_serialized_field_section() -> None:
    assert serialize_fields([(b"Host", b"a"), (b"X", b"")]) == b"Host: a\r\nX: \r\n"
    assert serialize_fields([]) == b""


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("place", range(6))
def test_no_field_line_becomes_two_lines(end: bytes, place: int) -> None:
    name, value = b"Name", b"value"
    fields = [
        (end + name, value),
        (name[:2] + end + name[2:], value),
        (name + end, value),
        (name, end + value),
        (name, value[:2] + end + value[2:]),
        (name, value + end),
    ]
    with pytest.raises(ValueError, match="line break"):
        serialize_fields([(b"A", b"1"), fields[place], (b"B", b"")])


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
    request = UpstreamRequest("GET", target, (field,), Framing.NONE, repeatable=True)
    with pytest.raises(ValueError, match=r"line break|white space"):
        RequestForm().serialize(request)


def head(*fields: tuple[bytes, bytes], status: int = 200) -> ClientHead:
    is_dated = any(name == b"Date" for name, _ in fields)
    return ClientHead(status, b"OK", fields, Framing.LENGTH, is_dated)


def test_a_head_is_the_core_s_fields_in_their_order_then_ours() -> None:
    written = head_bytes(head((b"B", b"caf\xe9"), (b"A", b"1"), (b"B", b"2")), 1, keep_alive=True)
    assert written.startswith(b"HTTP/1.1 200 OK\r\nB: caf\xe9\r\nA: 1\r\nB: 2\r\nDate: ")
    assert written.endswith(b" GMT\r\n\r\n")


@pytest.mark.parametrize(
    ("minor_version", "keep_alive", "said"),
    [(1, True, b""), (1, False, b"close"), (0, True, b"keep-alive"), (0, False, b"close")],
)
def test_connection_is_sent_where_persistence_is_not_the_default(
    minor_version: int, keep_alive: bool, said: bytes
) -> None:
    written = head_bytes(head((b"Date", b"x")), minor_version, keep_alive=keep_alive)
    line = b"Connection: %b\r\n" % said if said else b""
    assert written == b"HTTP/1.1 200 OK\r\nDate: x\r\n" + line + b"\r\n"


def test_a_switch_of_protocols_is_not_closed() -> None:
    written = head_bytes(head((b"Connection", b"Upgrade"), status=101), 1, keep_alive=False)
    assert written.count(b"Connection:") == 1


def test_an_empty_reason_keeps_its_space() -> None:
    written = head_bytes(ClientHead(299, b"", [], Framing.NONE), 1, keep_alive=True)
    assert written.startswith(b"HTTP/1.1 299 \r\n")


def test_the_date_has_the_standard_s_form() -> None:
    written = head_bytes(head(), 1, keep_alive=True)
    assert re.search(
        rb"\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT\r\n", written
    )


def test_date_inside_a_value_does_not_count() -> None:
    written = head_bytes(head((b"X", b"date: now")), 1, keep_alive=True)
    assert written.count(b"\r\nDate: ") == 1
