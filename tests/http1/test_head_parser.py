"""http1/head_parser.py: one head, from what llhttp says, and what it forgives."""

import pytest

from corsproxy.http1.head_parser import MalformedHeadError, parse_head
from corsproxy.http1.request_message import RequestMessage

HEAD = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def read(data: bytes) -> RequestMessage:
    """The request whose head `data` is."""
    return parse_head(data, "192.0.2.1", True)


def with_lines(*lines: bytes) -> bytes:
    return b"\r\n".join([b"POST /a HTTP/1.1", b"Host: a", *lines, b"", b""])


def test_the_head_is_what_was_received() -> None:
    head = read(b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nX-A: caf\xe9 \r\n\r\n").head
    assert (head.method, head.target, head.minor_version) == ("GET", b"/a?b", 1)
    assert head.fields == ((b"Host", b"localhost"), (b"X-A", b"caf\xe9"))
    assert (head.client, head.secure) == ("192.0.2.1", True)


@pytest.mark.parametrize(
    ("version", "is_known", "minor_version"),
    [(b"1.1", True, 1), (b"1.0", True, 0), (b"2.0", False, 1), (b"1.2", False, 1)],
)
def test_the_version_is_one_that_is_spoken_here_or_not(
    version: bytes, is_known: bool, minor_version: int
) -> None:
    message = read(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    assert (message.is_known, message.head.minor_version) == (is_known, minor_version)


def test_what_the_fields_say_of_the_connection_and_the_content() -> None:
    message = read(HEAD)
    assert (message.should_close, message.upgrade, message.expects) == (False, False, False)
    assert message.length is None
    message = read(with_lines(b"content-length: 12", b"Connection: close", b"Expect: 100-continue"))
    assert (message.should_close, message.expects, message.length) == (True, True, 12)
    message = read(with_lines(b"Connection: upgrade", b"Upgrade: websocket"))
    assert message.upgrade
    message = read(with_lines(b"Transfer-Encoding: chunked"))
    assert (message.length, message.is_chunked) == (None, True)


def test_who_expects_a_100_has_content_to_send() -> None:
    assert not read(with_lines(b"Expect: 100-continue")).expects


@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_length_of_zero_means_no_content(method: bytes) -> None:
    message = read(with_lines(b"Content-Length: 0").replace(b"POST", method))
    assert (message.length, message.is_chunked) == (None, False)


@pytest.mark.parametrize(("sent", "written"), [(b"010", b"10"), (b"000", b"0"), (b"7", b"7")])
def test_a_length_is_written_anew(sent: bytes, written: bytes) -> None:
    """Some servers read a number that begins with a zero as an octal one."""
    message = read(with_lines(b"Content-Length: " + sent))
    assert dict(message.head.fields)[b"Content-Length"] == written
    assert (message.length or 0) == int(sent)


def test_connect_has_no_content_and_ends_its_connection() -> None:
    message = read(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\n")
    assert (message.length, message.is_chunked, message.should_close) == (None, False, True)


# What llhttp forgives, and others read differently.
FORGIVEN = {
    "the version of another protocol": HEAD.replace(b"HTTP/1.1", b"RTSP/1.0"),
    "another protocol's, of the same number": HEAD.replace(b"HTTP", b"ICE"),
    "no version": HEAD.replace(b" HTTP/1.1", b""),
    "two spaces before the target": HEAD.replace(b" /a", b"  /a"),
    "two spaces behind the target": HEAD.replace(b"/a ", b"/a  "),
    "a line break before the request line": b"\r" + HEAD,
    "two Hosts": HEAD.replace(b"\r\n\r\n", b"\r\nhost: b\r\n\r\n"),
    "two content types": with_lines(b"Content-Type: a/b", b"Content-Type: a/b"),
    "the key of a draft": with_lines(b"Sec-WebSocket-Key1: 1"),
    "a length of 19 digits": with_lines(b"Content-Length: " + b"1" * 19),
}
# What it does not.
MALFORMED = {
    "a space before the colon": with_lines(b"A : b"),
    "a folded line": with_lines(b"A: b", b" c"),
    "a bare line feed": with_lines(b"A: b\nC: d"),
    "NUL": with_lines(b"A: b\0"),
    "two lengths": with_lines(b"Content-Length: 1", b"Content-Length: 1"),
    "a length and a coding": with_lines(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
    "a coding that is not the last": with_lines(b"Transfer-Encoding: gzip"),
    "an unknown method": HEAD.replace(b"GET", b"get"),
}


@pytest.mark.parametrize("head", [*FORGIVEN.values(), *MALFORMED.values()])
def test_what_can_be_read_in_two_ways_is_malformed(head: bytes) -> None:
    with pytest.raises(MalformedHeadError):
        read(head)


@pytest.mark.parametrize("data", [HEAD[:-2], HEAD + HEAD, HEAD[:20], b""])
def test_a_head_end_that_readers_disagree_on_is_malformed(data: bytes) -> None:
    """Where two of us saw an end in different places, what follows would be read twice."""
    with pytest.raises(MalformedHeadError):
        read(data)
