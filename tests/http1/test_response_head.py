"""Response heads as bytes."""

import re

import pytest

from corsproxy.core.messages import ClientHead, Framing
from corsproxy.http1.response_head import head_bytes


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
def test_persistence_is_said_where_it_is_not_the_default(
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


def test_a_date_inside_a_value_is_no_date() -> None:
    written = head_bytes(head((b"X", b"date: now")), 1, keep_alive=True)
    assert written.count(b"\r\nDate: ") == 1
