"""http1/response_parser.py: what of an upstream's bytes counts as a response."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.messages import Framing
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault
from corsproxy.http1.response_parser import MAX_INTERIM, ResponseParser
from corsproxy.shell.streams.piece import Piece
from tests.policies import said

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Reading:
    """A parser with the content it has put out."""

    def __init__(self, method: str = "GET", *, upgrade: bool = False, limit: int = 65536) -> None:
        self.pieces: list[Piece] = []
        self.parser = ResponseParser(
            method, upgrade=upgrade, section_limit=limit, put=self.pieces.append
        )

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    def feed(self, *pieces: bytes) -> "Reading":
        for piece in pieces:
            self.parser.feed(memoryview(piece))
        return self

    def status(self) -> int:
        assert self.parser.head is not None
        return self.parser.head.status

    def complete(self) -> bool:
        return self.parser.complete

    def framing(self) -> Framing:
        assert self.parser.head is not None
        return self.parser.head.framing


def fault_of(response: bytes, method: str = "GET", *, upgrade: bool = False) -> UpstreamFault:
    with pytest.raises(UpstreamError) as caught:
        Reading(method, upgrade=upgrade).feed(response)
    return caught.value.fault


@pytest.mark.parametrize(
    ("response", "framing", "content"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", Framing.LENGTH, b"abc"),
        (OK + b"Content-Length: 0\r\n\r\n", Framing.LENGTH, b""),
        (OK + b"Content-Length: 3 \t\r\n\r\nabc", Framing.LENGTH, b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", Framing.CHUNKED, b"abc"),
        (OK + b"transfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Framing.CHUNKED, b"abc"),
        (CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n", Framing.CHUNKED, b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", Framing.CHUNKED, b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n", Framing.CHUNKED, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Framing.NONE, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Framing.NONE, b""),
        (OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", Framing.LENGTH, b"abc"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", Framing.LENGTH, b"abc"),
    ],
)
def test_content_ends_where_its_framing_says(
    response: bytes, framing: Framing, content: bytes
) -> None:
    reading = Reading().feed(response)
    assert reading.parser.complete
    assert reading.framing() is framing
    assert reading.content == content


def test_content_of_known_length_may_come_in_many_pieces() -> None:
    reading = Reading().feed(OK + b"Content-Length: 6\r\n\r\na", b"bc", b"de")
    before = reading.complete()
    reading.feed(b"f")
    assert (before, reading.complete()) == (False, True)
    assert reading.parser.persistent
    assert reading.content == b"abcdef"


def test_content_of_known_length_that_is_cut_is_truncated() -> None:
    reading = Reading().feed(OK + b"Content-Length: 6\r\n\r\na", b"bc")
    with pytest.raises(UpstreamError) as caught:
        reading.parser.feed_eof()
    assert caught.value.fault is UpstreamFault.TRUNCATED


@pytest.mark.parametrize("behind", [b"H", b"\r\n", OK])
def test_bytes_after_the_last_chunk_spoil_only_the_connection(behind: bytes) -> None:
    reading = Reading().feed(OK + b"Content-Length: 6\r\n\r\na", b"bc", b"def" + behind)
    assert reading.complete()
    assert not reading.parser.persistent
    assert reading.content == b"abcdef"


def test_content_without_framing_ends_with_the_connection() -> None:
    reading = Reading().feed(OK + b"\r\nab", b"c")
    assert reading.framing() is Framing.CLOSE
    assert not reading.complete()
    reading.parser.feed_eof()
    assert reading.complete()
    assert reading.content == b"abc"


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_an_answer_to_head_has_no_content(length: bytes) -> None:
    reading = Reading("HEAD").feed(OK + length + b"\r\n")
    assert reading.parser.complete
    assert reading.parser.persistent
    assert reading.framing() is Framing.NONE


MALFORMED = {
    "length and chunked": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "another length in a list": OK + b"Content-Length: 3, 4\r\n\r\nabc",
    "a length and nothing": OK + b"Content-Length: 3,\r\n\r\nabc",
    "a length in two spellings": OK + b"Content-Length: 3\r\nContent-Length: 03\r\n\r\nabc",
    "a length twice, and chunked": OK
    + b"Content-Length: 3\r\n" * 2
    + b"Transfer-Encoding: chunked\r\n\r\n",
    "a length behind a space": OK + b"Content-Length: 3\r\nContent-Length : 3\r\n\r\nabc",
    "signed length": OK + b"Content-Length: +3\r\n\r\nabc",
    "negative length": OK + b"Content-Length: -3\r\n\r\nabc",
    "hexadecimal length": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "empty length": OK + b"Content-Length:\r\n\r\nabc",
    "length beyond 64 bits": OK + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked, chunked": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "empty member": OK + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunkedx": OK + b"Transfer-Encoding: chunkedx\r\n\r\n",
    "VT before chunked": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "lower-case version": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICE": b"ICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "an empty line first": b"\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "NUL in a value": OK + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "ESC in a value": OK + b"X-A: a\x1bb\r\nContent-Length: 0\r\n\r\n",
    "DEL in a value": OK + b"X-A: a\x7fb\r\nContent-Length: 0\r\n\r\n",
    "two CR": OK + b"X-A: a\r\r\nContent-Length: 0\r\n\r\n",
    "folded value behind LF": OK + b"X-A: a\n b\nContent-Length: 0\n\n",
    "space before the colon, LF": OK + b"X-A : a\nContent-Length: 0\n\n",
    "no colon, LF": OK + b"X-A\nContent-Length: 0\n\n",
    "bare CR in a value": OK + b"X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n",
    "ESC in the reason": b"HTTP/1.1 200 O\x1bK\r\nContent-Length: 0\r\n\r\n",
    "8-bit name": OK + b"X-\xe9: a\r\nContent-Length: 0\r\n\r\n",
    "empty name": OK + b": a\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"X-A : a\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "folded value": OK + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before the first field": OK + b" X-A: a\r\nContent-Length: 0\r\n\r\n",
    "signed chunk size": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "0x chunk size": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "space after a chunk size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "empty chunk size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": CHUNKED + b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF in chunks": CHUNKED + b"3\nabc\n0\n\n",
    "LF in a chunk extension": CHUNKED + b"3;a\nabc\r\n0\r\n\r\n",
    "malformed trailer": CHUNKED + b"0\r\nX-A\r\n\r\n",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "interim with content": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\nx",
    "interim with chunks": b"HTTP/1.1 100 Go\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "too many interims": b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
}


# What browsers forgive, and leaves no doubt.
FORGIVEN = {
    "LF": (b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 3\n\n", b"abc", b"abc"),
    "LF in one line": (b"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 3\r\n\r\n", b"abc", b"abc"),
    "LF in the status line": (
        b"HTTP/1.1 200 OK\nX-A: b\r\nContent-Length: 3\r\n\r\n",
        b"abc",
        b"abc",
    ),
    "LF in the empty line": (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 3\r\n\n",
        b"abc",
        b"abc",
    ),
    "LF before the empty line": (OK + b"X-A: b\r\nContent-Length: 3\n\r\n", b"abc", b"abc"),
    "length twice": (
        OK + b"X-A: b\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n",
        b"abc",
        b"abc",
    ),
    "length twice, apart": (
        OK + b"Content-Length: 3\r\nX-A: b\r\nContent-Length: 3\r\n\r\n",
        b"abc",
        b"abc",
    ),
    "list of lengths": (OK + b"X-A: b\r\nContent-Length: 3 , 3\r\n\r\n", b"abc", b"abc"),
    "zeros": (OK + b"X-A: b\r\nContent-Length: 003\r\n\r\n", b"abc", b"abc"),
    "LF in content": (b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 3\n\n", b"\n\r\n", b"\n\r\n"),
    "LF, then chunks": (
        b"HTTP/1.1 200 OK\nX-A: b\nTransfer-Encoding: chunked\n\n",
        b"3\r\na\nb\r\n0\r\n\r\n",
        b"a\nb",
    ),
    "LF in an interim response": (
        b"HTTP/1.1 103 Early\nLink: x\n\nHTTP/1.1 200 OK\nX-A: b\nContent-Length: 3\n\n",
        b"abc",
        b"abc",
    ),
}


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "by bytes"])
@pytest.mark.parametrize(("head", "sent", "content"), FORGIVEN.values(), ids=FORGIVEN.keys())
def test_what_leaves_none_is_read(head: bytes, sent: bytes, content: bytes, cut: bool) -> None:
    response = head + sent
    pieces = [bytes([byte]) for byte in response] if cut else [response]
    reading = Reading().feed(*pieces)
    assert reading.complete()
    assert reading.parser.persistent
    assert reading.content == content
    assert reading.parser.head is not None
    names = [name.lower() for name, _ in reading.parser.head.fields]
    assert (b"X-A", b"b") in reading.parser.head.fields
    assert len(names) == 2
    lengths = [v for n, v in reading.parser.head.fields if n.lower() == b"content-length"]
    assert lengths in ([b"3"], [])


def test_line_ends_of_chunks_are_not_forgiven() -> None:
    assert fault_of(OK.replace(b"\r", b"") + b"Transfer-Encoding: chunked\n\n3\nabc\n0\n\n")


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", UpstreamCause.WANTS_TLS),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18), UpstreamCause.HTTP2),
        (b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8), UpstreamCause.HTTP2),
        (b"SSH-2.0-OpenSSH_9.2\r\n", UpstreamCause.NOT_HTTP),
        (b"HTTP/2 200\r\n", UpstreamCause.BAD_HTTP),
        (OK + b"X-A : b\r\n\r\n", UpstreamCause.BAD_HTTP),
    ],
)
def test_a_refusal_knows_its_cause(response: bytes, cause: UpstreamCause) -> None:
    with pytest.raises(UpstreamError) as caught:
        Reading().feed(response)
    assert caught.value.cause is cause


@pytest.mark.parametrize(
    ("received", "cause"),
    [
        (b"", None),
        (b"HTT", UpstreamCause.CUT_HEAD),
        (OK, UpstreamCause.CUT_HEAD),
        # As some test servers and small devices write it.
        (b"HTTP/1.1 200 OK\nX-A: b\n", UpstreamCause.CUT_HEAD),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", UpstreamCause.CUT_HEAD),
    ],
)
def test_a_head_that_the_connection_cuts_off_is_not_taken_for_tls(
    received: bytes, cause: UpstreamCause | None
) -> None:
    reading = Reading()
    if received:
        reading.feed(received)
    with pytest.raises(UpstreamError) as caught:
        reading.parser.feed_eof()
    assert caught.value.fault is UpstreamFault.CLOSED
    assert caught.value.cause is cause


@pytest.mark.parametrize("response", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_leaves_a_doubt_is_refused(response: bytes) -> None:
    assert fault_of(response) is UpstreamFault.MALFORMED


@pytest.mark.parametrize("response", MALFORMED.values(), ids=MALFORMED.keys())
def test_it_is_refused_byte_by_byte_too(response: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        Reading().feed(*(bytes([byte]) for byte in response))
    assert caught.value.fault is UpstreamFault.MALFORMED


def test_a_101_must_say_what_it_switches_to() -> None:
    response = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    assert fault_of(response, upgrade=True) is UpstreamFault.MALFORMED


def test_a_tls_answer_hints_at_https() -> None:
    with pytest.raises(UpstreamError, match="https://"):
        Reading().feed(MALFORMED["a TLS alert"])


@pytest.mark.parametrize(
    "value", [b"caf\xe9", b"\xff\x80", b"a\tb", b'"q\\"q"', b"", b"\xe2\x80\xa8"]
)
def test_values_keep_their_bytes(value: bytes) -> None:
    reading = Reading().feed(OK + b"X-a_B: \t" + value + b" \t\r\nContent-Length: 0\r\n\r\n")
    assert reading.parser.head is not None
    assert reading.parser.head.fields == [(b"X-a_B", value), (b"Content-Length", b"0")]


def test_fields_keep_their_order_and_repeats() -> None:
    lines = [
        (b"Set-Cookie", b"a=1"),
        (b"ETag", b"x"),
        (b"set-cookie", b"b=2"),
        (b"Set-Cookie", b""),
    ]
    response = OK + b"".join(b"%b: %b\r\n" % line for line in lines) + b"Content-Length: 0\r\n\r\n"
    reading = Reading().feed(response)
    assert reading.parser.head is not None
    assert reading.parser.head.fields[:4] == lines


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200 caf\xe9", 200, b"caf\xe9"),
        (b"HTTP/1.1 200 ", 200, b""),
        (b"HTTP/1.1 200", 200, b""),
        (b"HTTP/1.1 999 Odd", 999, b"Odd"),
        (b"HTTP/1.0 404 Not  Found", 404, b"Not  Found"),
    ],
)
def test_the_status_line_passes_as_it_is(line: bytes, status: int, reason: bytes) -> None:
    reading = Reading().feed(line + b"\r\nContent-Length: 0\r\n\r\n")
    head = reading.parser.head
    assert head is not None
    assert (head.status, head.reason) == (status, reason)


def test_interim_responses_are_dropped() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    reading = Reading().feed(interim * MAX_INTERIM + OK + b"Content-Length: 1\r\n\r\nx")
    assert reading.status() == 200
    assert reading.parser.head is not None
    assert reading.parser.head.fields == [(b"Content-Length", b"1")]
    assert reading.content == b"x"


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 100 Continue\r\nConnection: close", b"HTTP/1.0 100 Go"]
)
def test_a_final_response_may_follow_whatever_interim(line: bytes) -> None:
    reading = Reading().feed(line + b"\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx")
    assert reading.status() == 200
    assert reading.content == b"x"


@pytest.mark.parametrize(
    ("response", "persistent"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\nConnection: x, CLOSE\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\nConnection: x\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", True),
        (OK + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_persistence_is_what_the_head_says(response: bytes, persistent: bool) -> None:
    assert Reading().feed(response).parser.persistent is persistent


@pytest.mark.parametrize(
    ("method", "response"),
    [
        ("GET", OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"),
        ("GET", OK + b"Content-Length: 2\r\n\r\nokH"),
        ("GET", OK + b"Content-Length: 2\r\n\r\nokgarbage"),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + OK),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\nab"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab"),
        ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nab"),
        ("HEAD", OK + b"Content-Length: 2\r\n\r\nab"),
        ("HEAD", OK + b"\r\nab"),
        ("HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n5"),
        ("HEAD", OK + b"Content-Length: 2\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n" + OK),
    ],
)
def test_bytes_after_the_end_spoil_the_connection_only(method: str, response: bytes) -> None:
    reading = Reading(method).feed(response)
    assert reading.parser.complete
    assert not reading.parser.persistent
    assert reading.content in (b"", b"ok")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 5),
        (b"max=100, timeout=5", 5),
        (b'Timeout = "7"', 7),
        (b"timeout=x", None),
        (b"xtimeout=5", None),
        (b"timeout=99999999999999", 999999999),
    ],
)
def test_keep_alive_is_heard(value: bytes, seconds: int | None) -> None:
    reading = Reading().feed(OK + b"Keep-Alive: " + value + b"\r\nContent-Length: 0\r\n\r\n")
    assert reading.parser.keep_alive == seconds


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (b"text/event-stream", True),
        (b"Text/Event-Stream; charset=utf-8", True),
        (b"text/html", False),
    ],
)
def test_event_streams_are_known(value: bytes, is_one: bool) -> None:
    reading = Reading().feed(OK + b"Content-Type: " + value + b"\r\n\r\n")
    assert reading.parser.event_stream is is_one


@pytest.mark.parametrize(
    "pieces",
    [
        [OK + b"X-A: " + b"a" * 1000 + b"\r\n\r\n"],
        [OK + b"X-A: ", b"a" * 500, b"a" * 500],
        [OK] + [b"X-A: aaaaaaaaaa\r\n"] * 100,
        [b"HTTP/1.1 200 " + b"a" * 1000],
        [b"HTTP/1.1 103 Hints\r\nX-A: " + b"a" * 1000 + b"\r\n\r\n"],
    ],
)
def test_a_field_section_has_a_bound(pieces: list[bytes]) -> None:
    with pytest.raises(UpstreamError) as caught:
        Reading(limit=900).feed(*pieces)
    assert caught.value.fault is UpstreamFault.HEAD_TOO_LARGE


def test_the_bound_is_on_the_fields_not_on_what_comes_with_them() -> None:
    reading = Reading(limit=900).feed(OK + b"Content-Length: 5000\r\n\r\n" + b"a" * 5000)
    assert reading.parser.complete


@pytest.mark.parametrize("unit", [b";" + b"a" * 4000, b"X-T: " + b"a" * 4000 + b"\r\n"])
def test_chunk_extensions_and_trailers_have_a_bound(unit: bytes) -> None:
    reading = Reading().feed(CHUNKED, b"1\r\na\r\n", b"1" if unit[:1] == b";" else b"0\r\n")
    with pytest.raises(UpstreamError) as caught:
        reading.feed(*[unit] * 100)
    assert caught.value.fault is UpstreamFault.MALFORMED


def test_many_small_chunks_are_no_flood() -> None:
    reading = Reading().feed(CHUNKED, *[b"1\r\na\r\n"] * 50_000, b"0\r\n\r\n")
    assert reading.parser.complete
    assert len(reading.content) == 50_000


@pytest.mark.parametrize(
    ("received", "fault"),
    [
        (b"", UpstreamFault.CLOSED),
        (b"HTTP/1.1 200 OK\r\nX-A", UpstreamFault.CLOSED),
        (b"HTTP/1.1 100 Continue\r\n\r\n", UpstreamFault.CLOSED),
        (OK + b"Content-Length: 3\r\n\r\nab", UpstreamFault.TRUNCATED),
        (OK + b"Content-Length: 3\r\n\r\n", UpstreamFault.TRUNCATED),
        (CHUNKED + b"3\r\nab", UpstreamFault.TRUNCATED),
        (CHUNKED + b"3\r\nabc\r\n", UpstreamFault.TRUNCATED),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", UpstreamFault.TRUNCATED),
    ],
)
def test_an_early_end_is_an_error(received: bytes, fault: UpstreamFault) -> None:
    reading = Reading()
    if received:
        reading.feed(received)
    with pytest.raises(UpstreamError) as caught:
        reading.parser.feed_eof()
    assert caught.value.fault is fault


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@pytest.mark.parametrize("pieces", [[SWITCH + b"\x81\x02ok"], [SWITCH, b"\x81\x02", b"ok"]])
def test_after_a_101_bytes_pass_unread(pieces: list[bytes]) -> None:
    reading = Reading(upgrade=True).feed(*pieces)
    assert reading.status() == 101
    assert reading.parser.switched
    assert not reading.parser.complete
    assert reading.content == b"\x81\x02ok"


def test_an_upgrade_may_be_declined() -> None:
    reading = Reading(upgrade=True).feed(OK + b"Content-Length: 2\r\n\r\nok")
    assert not reading.parser.switched
    assert reading.parser.complete


WHOLE = [
    OK + b"Content-Length: 6\r\nX-A: caf\xe9 \r\n\r\nabcdef",
    CHUNKED + b"2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\nETag: y\r\n\r\n",
    SWITCH + b"raw bytes",
]


@given(st.sampled_from(WHOLE), st.lists(st.integers(1, 200), max_size=20))
def test_how_bytes_are_split_makes_no_difference(response: bytes, cuts: list[int]) -> None:
    whole = Reading(upgrade=True).feed(response)
    edges = sorted({0, len(response), *(cut for cut in cuts if cut < len(response))})
    split = Reading(upgrade=True)
    split.feed(*(response[a:b] for a, b in pairwise(edges)))
    assert said(split.parser.head) == said(whole.parser.head)
    assert split.content == whole.content
    assert split.parser.complete == whole.parser.complete


@given(st.sampled_from([*WHOLE, *MALFORMED.values()]), st.data())
def test_no_bytes_raise_anything_else(response: bytes, data: st.DataObject) -> None:
    mutated = bytearray(response)
    for _ in range(data.draw(st.integers(0, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    reading = Reading(upgrade=True)
    try:
        reading.feed(bytes(mutated) + data.draw(st.binary(max_size=20)))
        reading.parser.feed_eof()
    except UpstreamError:
        pass
