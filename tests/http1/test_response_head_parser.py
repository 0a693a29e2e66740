"""http1/response_head_parser.py: heads of responses that are not plain."""

import pytest

from corsproxy.core.messages import Framing
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.http1.response_head_parser import ParsedHead


def parsed(head: bytes) -> ParsedHead:
    found = ParsedHead()
    found.read(head)
    return found


def test_a_head_is_read_as_its_bytes() -> None:
    head = parsed(b"HTTP/1.0 404 Not  Found\nX-a_B: caf\xe9 \t\r\nSet-Cookie:\n\r\n")
    assert (head.status, head.reason, head.minor_version) == (404, b"Not  Found", 0)
    assert head.fields == [(b"X-a_B", b"caf\xe9"), (b"Set-Cookie", b"")]
    assert head.length is None
    assert head.framing(answers_head=False) is Framing.CLOSE
    assert not head.persistent


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 3\r\n",
        b"content-length:003\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"Content-Length: 3, 3 ,3\r\nCONTENT-LENGTH:\t3\t\n",
    ],
)
def test_equal_lengths_are_one(lines: bytes) -> None:
    head = parsed(b"HTTP/1.1 200 OK\r\n" + lines + b"X-A: b\r\n\r\n")
    assert head.length == 3
    assert [value for _, value in head.fields] == [b"3", b"b"]
    assert head.framing(answers_head=False) is Framing.LENGTH
    assert head.framing(answers_head=True) is Framing.NONE


@pytest.mark.parametrize("value", [b"", b"3,", b"3, 4", b"3 3", b"+3", b"0x3", b"1" * 19, b"3;3"])
def test_a_length_that_leaves_a_doubt_is_refused(value: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        parsed(b"HTTP/1.1 200 OK\r\nContent-Length: " + value + b"\r\n\r\n")
    assert caught.value.fault is UpstreamFault.MALFORMED


def test_only_a_101_that_says_to_what_switches() -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert parsed(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade).switches
    assert not parsed(b"HTTP/1.1 426 Upgrade Required\r\n" + upgrade).switches
    assert not parsed(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").switches
