"""http1/plain_response.py: what is plain, and that it is read as llhttp reads it.

llhttp reads a response whose head arrives in two parts, so the law of the whole is that it makes
no difference how the bytes are cut.
"""

from itertools import pairwise
from typing import NamedTuple, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corsproxy.core.messages import Field
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.http1.plain_response import PlainHead, PlainHeadReader
from corsproxy.http1.response_parser import ResponseParser
from tests.policies import said

OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = 2000


def read(data: bytes) -> PlainHead | None:
    return PlainHeadReader().read(data, LIMIT)


def with_fields(*lines: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def fields_of(head: PlainHead) -> list[Field]:
    return cast("list[Field]", head.fields)


def test_a_plain_head_is_read() -> None:
    data = (
        b"HTTP/1.1 404 Not Found\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n"
        b"X-Cafe: caf\xe9\r\n"
        b"content-LENGTH: 12\r\n"
        b"Connection: Close\r\n"
        b"Keep-Alive: timeout=5\r\n\r\n"
    )
    head = read(data + b"<p>not here")
    assert head is not None
    assert (head.status, head.reason) == (404, b"Not Found")
    assert fields_of(head) == [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"X-Cafe", b"caf\xe9"),
        (b"content-LENGTH", b"12"),
        (b"Connection", b"Close"),
        (b"Keep-Alive", b"timeout=5"),
    ]
    assert head.size == len(data)
    assert head.length == 12
    assert head.closes
    assert head.keep_alive == b"timeout=5"
    assert head.content_type == b"text/html; charset=utf-8"


PLAIN = {
    "no field": with_fields(),
    "no reason": b"HTTP/1.1 204 \r\nDate: now\r\n\r\n",
    "reason of 8-bit bytes": b"HTTP/1.1 599 caf\xe9 \r\nDate: now\r\n\r\n",
    "longest number": with_fields(b"Content-Length: " + b"9" * 18),
    "keep-alive": with_fields(b"Connection: keep-alive"),
    "Keep-Alive": with_fields(b"Connection: Keep-Alive"),
    "close": with_fields(b"Connection: close"),
    "one byte": with_fields(b"X: y"),
    "colons in a value": with_fields(b"X: a: b:c"),
    "a name twice": with_fields(b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
    "a type twice": with_fields(b"Content-Type: text/event-stream", b"Content-Type: text/html"),
    "every letter of a name": with_fields(b"!#$%&'*+-.^_`|~09azAZ: a"),
    "every byte of a value": with_fields(
        b"X: " + bytes(range(0x21, 0x7F)) + b" " + bytes(range(0x80, 0x100))
    ),
}
NOT_PLAIN = {
    "nothing": b"",
    "one byte": b"H",
    "an end only": b"\r\n\r\n",
    "part of a status line": b"HTTP/1.1 200",
    "status line": OK,
    "status line and CR": OK + b"\r",
    "CR for the empty line": OK + b"\rX",
    "part of a name": OK + b"Content-Le",
    "part of a value": OK + b"Content-Length: 1",
    "no empty line": OK + b"Content-Length: 1\r\n",
    "no end of the empty line": OK + b"Content-Length: 1\r\n\r",
    "bad end of the empty line": OK + b"Content-Length: 1\r\n\rX",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n",
    "lower-case version": b"http/1.1 200 OK\r\nX: y\r\n\r\n",
    "status without a space": b"HTTP/1.1 200\r\nX: y\r\n\r\n",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nX: y\r\n\r\n",
    "two spaces before the reason": b"HTTP/1.1 200  OK\r\nX: y\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nX: y\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nX: y\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\nX: y\r\n\r\n",
    "bare LF behind the status line": b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
    "bare LF behind a field": OK + b"X: y\nZ: y\r\n\r\n",
    "bare LF for the empty line": OK + b"X: y\r\n\n",
    "bare CR": with_fields(b"X: a\rb"),
    "NUL in a value": with_fields(b"X: a\0b"),
    "DEL in a value": with_fields(b"X: a\x7fb"),
    "tab in a value": with_fields(b"X: a\tb"),
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nX: y\r\n\r\n",
    "no name": with_fields(b": y"),
    "no colon": with_fields(b"X"),
    "no colon, but later": with_fields(b"X", b"Y: z"),
    "colon in the content": OK + b"X\r\n\r\nY: z\r\n\r\n",
    "space before the colon": with_fields(b"X : y"),
    "8-bit name": with_fields(b"X\xe9: y"),
    "no space behind the colon": with_fields(b"X:y"),
    "tab behind the colon": with_fields(b"X:\ty"),
    "two spaces behind the colon": with_fields(b"X:  y"),
    "space behind a value": with_fields(b"X: y "),
    "no value": with_fields(b"X:"),
    "a space for a value": with_fields(b"X: "),
    "two spaces for a value": with_fields(b"X:  "),
    "folded value": with_fields(b"X: y", b" z"),
    "folded with a colon": with_fields(b"X: y", b" z: a"),
    "folded with a tab": with_fields(b"X: y", b"\tz: a"),
    "length and then another": with_fields(b"Content-Length: 1", b"Content-Length: 2"),
    "length and then the same": with_fields(b"Content-Length: 0", b"Content-Length: 0"),
    "length in a list": with_fields(b"Content-Length: 1, 1"),
    "signed length": with_fields(b"Content-Length: +1"),
    "negative length": with_fields(b"Content-Length: -1"),
    "length with an underscore": with_fields(b"Content-Length: 1_0"),
    "length of 19 digits": with_fields(b"Content-Length: " + b"0" * 18 + b"1"),
    "length in other digits": with_fields(b"Content-Length: \xb2"),
    "length just below the digits": with_fields(b"Content-Length: 1/"),
    "length just above the digits": with_fields(b"Content-Length: 1:"),
    "a transfer coding": with_fields(b"Transfer-Encoding: chunked"),
    "a transfer coding behind a length": with_fields(
        b"Content-Length: 1", b"tRANSFER-eNCODING: chunked"
    ),
    "upgrade": with_fields(b"Upgrade: h2c"),
    "trailer": with_fields(b"Trailer: X"),
    "proxy-connection": with_fields(b"Proxy-Connection: close"),
    "connection that names a field": with_fields(b"Connection: X"),
    "connection with two options": with_fields(b"Connection: keep-alive, close"),
    "two connections": with_fields(b"Connection: keep-alive", b"Connection: close"),
    "connection twice": with_fields(b"Connection: close", b"Connection: close"),
    "keep-alive twice": with_fields(b"Keep-Alive: timeout=1", b"Keep-Alive: timeout=2"),
    "beyond the limit": with_fields(b"X: " + b"y" * LIMIT),
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN.keys())
def test_the_usual_is_plain(data: bytes) -> None:
    for behind in (b"", b"\r\n\r\n", b"a: b\r\n\r\n", b"\0"):
        head = read(data + behind)
        assert head is not None
        assert head.size == len(data)


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_what_is_unusual_or_not_whole_is_left_to_llhttp(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN.keys())
def test_no_part_of_a_plain_head_is_one(data: bytes) -> None:
    assert [read(data[:size]) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    ("beyond", "is_plain"), [(-1000, False), (-1, False), (0, False), (1, True), (10**9, True)]
)
def test_a_head_that_may_be_too_large_is_left_to_llhttp(beyond: int, is_plain: bool) -> None:
    lines = OK + b"Content-Length: 5\r\nX: y"
    head = PlainHeadReader().read(lines + b"\r\n\r\nabcde", len(lines) + beyond)
    assert (head is not None) is is_plain


# However a response is cut into reads, the same comes out


class Outcome(NamedTuple):
    """What has become of a response."""

    fault: UpstreamFault | None
    head: tuple[object, ...] | None
    complete: bool
    switched: bool
    untouched: bool
    event_stream: bool
    keep_alive: int | None
    content: bytes
    reusable: bool


# What the heads of all tests have left behind in one reader: it must not matter.
EARLIER = PlainHeadReader()


def outcome(pieces: list[bytes], method: str, *, upgrade: bool) -> Outcome:
    """Feed a parser as the connection does: nothing behind the end, which spoils it."""
    content: list[bytes] = []
    parser = ResponseParser(
        method,
        upgrade=upgrade,
        section_limit=LIMIT,
        put=lambda piece: content.append(bytes(piece)),
        plain_heads=EARLIER,
    )
    fault, spoilt = None, False
    try:
        for piece in pieces:
            if parser.complete:
                spoilt = True
                break
            before = len(content)
            parser.feed(memoryview(piece))
            assert len(content) - before <= 1
        else:
            if not parser.complete:
                parser.feed_eof()
                spoilt = True
    except UpstreamError as error:
        fault = error.fault
    assert all(content)
    return Outcome(
        fault,
        said(parser.head),
        parser.complete,
        parser.switched,
        parser.untouched,
        parser.event_stream,
        parser.keep_alive,
        b"".join(content),
        parser.complete and parser.persistent and not spoilt,
    )


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at for at in cuts if at < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def check(data: bytes, cuts: list[int], method: str, *, upgrade: bool) -> None:
    """Compare what becomes of `data` with what llhttp makes of it."""
    known = outcome(cut(data, [1]), method, upgrade=upgrade)
    whole = outcome([data], method, upgrade=upgrade)
    parts = outcome(cut(data, cuts), method, upgrade=upgrade)
    assert whole[:-1] == known[:-1]
    assert parts[:-1] == known[:-1]
    # What comes apart, if only the last byte, may spoil the connection, but never save it.
    assert known.reusable or not parts.reusable
    if whole.reusable != known.reusable:
        # llhttp skips empty lines behind a response. Nobody has asked for them.
        assert known.reusable
        assert any(
            outcome([data[:size]], method, upgrade=upgrade).reusable
            for size in range(len(data.rstrip(b"\r\n")), len(data))
        )


STATUS_LINES = st.sampled_from(
    [OK] * 24
    + [
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 Not Modified\r\n",
        b"HTTP/1.1 206 \r\n",
        b"HTTP/1.1 500 caf\xe9\r\n",
        b"HTTP/1.1 200\r\n",
        b"HTTP/1.1 200  two spaces\r\n",
        b"HTTP/1.1 999 Odd\r\n",
        b"HTTP/1.1 199 Odd\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 2000 OK\r\n",
    ]
)
NAMES = st.sampled_from(
    [
        b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Keep-Alive",
        b"Content-Type", b"Upgrade", b"Trailer", b"Proxy-Connection", b"Set-Cookie", b"ETag",
        b"X_y", b"x!#$%&'*+-.^_`|~0", b"", b" X", b"X ", b"X\t", b"\xe9", b"X\0", b"(X)", b"X\r",
    ]
)  # fmt: skip
SEPARATORS = st.sampled_from([b": "] * 12 + [b":", b":  ", b":\t", b" :", b"", b"::", b": \r\n "])
VALUES = st.sampled_from(
    [
        b"0", b"5", b"3", b"007", b"1" * 18, b"9" * 19, b"18446744073709551616", b"+5", b"-5",
        b"0x5", b"5, 5", b"5 5", b"5_0", b"", b"chunked", b"Chunked", b"gzip, chunked", b"identity",
        b"close", b"Close", b"keep-alive", b"Keep-Alive", b"close, keep-alive", b"upgrade", b"x",
        b"timeout=5", b"timeout=5, max=9", b"websocket", b"text/event-stream", b"Text/Event-Stream",
        b"text/event-stream; charset=utf-8", b"text/event", b"text/even--streak", b"text/html",
        b"caf\xe9", b"a\tb", b"a\0b", b"a\x7fb", b"a\x1bb", b"a\rb", b"a\nb", b"a\r\n b", b" ",
    ]
)  # fmt: skip
ENDS = st.sampled_from([b"\r\n"] * 12 + [b" \r\n", b"\t\r\n", b"\n", b"\r", b"\r\n ", b"\r\r\n"])
LINES = st.builds(
    lambda *parts: b"".join(parts),
    NAMES,
    SEPARATORS,
    VALUES,
    ENDS,
)
USUAL_LINES = st.sampled_from(
    [
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 12\r\n",
        b"Content-Type: application/json\r\n", b"Content-Type: text/event-stream\r\n",
        b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Keep-Alive: timeout=7\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Date: Sat, 21 Nov 2026 03:00:00 GMT\r\n",
        b"Server: x\r\n", b'ETag: "abc"\r\n', b"Vary: Origin, Cookie\r\n", b"Set-Cookie: a=b\r\n",
    ]
)  # fmt: skip
CONTENT = st.sampled_from(
    [
        b"", b"", b"abcde", b"abcde", b"abc", b"abcdeabcdeab", b"abcde\r\n", b"abcde\r\n\r\n",
        b"abcdeHTTP/1.1 2", b"\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"0\r\n\r\n", b"\0" * 20,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\n", b"\r", b"abc\r\n",
    ]
)  # fmt: skip


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(USUAL_LINES, max_size=4, unique=True))
    for line in (
        draw(st.lists(LINES, max_size=1)) if draw(st.sampled_from([True, False, False])) else ()
    ):
        lines.insert(draw(st.integers(0, len(lines))), line)
    head = draw(STATUS_LINES) + b"".join(lines)
    data = bytearray(head + draw(st.sampled_from([b"\r\n"] * 24 + [b"\n", b"\r", b"", b"\r\r\n"])))
    for _ in range(draw(st.sampled_from([0] * 8 + [1, 2]))):
        at = draw(st.integers(0, len(data) - 1))
        change = draw(st.sampled_from(["replace", "insert", "delete"]))
        byte = draw(st.sampled_from(b"\0\t\n\r :\x7f\xe9aA0,;-+\x0b") | st.integers(0, 255))
        if change == "replace":
            data[at] = byte
        elif change == "insert":
            data.insert(at, byte)
        else:
            del data[at : at + 1 + byte % 3]
        if not data:
            data = bytearray(b"H")
    return bytes(data) + draw(CONTENT)


ABOUT_THE_CONNECTION = [
    b"Content-Length: 0",
    b"Content-Length: 3",
    b"content-length: 03",
    b"Content-Length: " + b"9" * 18,
    b"Content-Length: " + b"9" * 19,
    b"Content-Length: 18446744073709551616",
    b"Content-Length: 3, 3",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Connection: close",
    b"Connection: CLOSE",
    b"Connection: keep-alive",
    b"Connection: close, keep-alive",
    b"Connection: closed",
    b"Connection: upgrade",
    b"Proxy-Connection: close",
    b"Upgrade: websocket",
    b"Keep-Alive: timeout=5",
    b"Keep-Alive: timeout=7",
    b"Keep-Alive: max=7",
    b"Content-Type: text/event-stream",
    b"Content-Type: Text/Event-Stream; charset=utf-8",
    b"Content-Type: text/html",
    b"Trailer: X",
]


@settings(max_examples=500)
@given(
    responses(),
    st.lists(st.integers(1, 250), max_size=6),
    st.sampled_from(["GET", "GET", "HEAD"]),
    st.booleans(),
)
@example(OK + b"Content-Length: 5\r\n\r\nabcde\r\n", [50], "GET", False)
def test_how_a_response_is_cut_makes_no_difference(
    data: bytes, cuts: list[int], method: str, upgrade: bool
) -> None:
    check(data, cuts, method, upgrade=upgrade)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "data", [*PLAIN.values(), *NOT_PLAIN.values()], ids=[*PLAIN.keys(), *NOT_PLAIN.keys()]
)
def test_llhttp_reads_it_the_same(data: bytes, method: str) -> None:
    for behind in (b"", b"a", b"abcde" * 3, b"\r\n", b"\0", OK):
        if data + behind:
            check(data + behind, [len(data), len(data) + 1], method, upgrade=False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 205, 304, 404])
@pytest.mark.parametrize(
    "connection",
    [[], [b"Connection: keep-alive"], [b"Connection: close"], [b"Keep-Alive: timeout=5"]],
)
def test_each_framing_is_read_the_same(method: str, status: int, connection: list[bytes]) -> None:
    for framing in (
        [],
        [b"Content-Length: 0"],
        [b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked"],
    ):
        head = b"HTTP/1.1 %d Word\r\n%b\r\n" % (
            status,
            b"".join(line + b"\r\n" for line in [*connection, *framing]),
        )
        for content in (b"", b"abc", b"abcde", b"abcdef", b"abcde\r\n", b"0\r\n\r\n", OK):
            cuts = [len(head), len(head) + 2, len(head) + 5]
            check(head + content, cuts, method, upgrade=False)


@pytest.mark.parametrize("first", ABOUT_THE_CONNECTION)
def test_fields_that_meet_are_read_the_same(first: bytes) -> None:
    for second in ABOUT_THE_CONNECTION:
        head = with_fields(first, second)
        for content in (b"", b"abc", b"0\r\n\r\n"):
            check(head + content, [len(head)], "GET", upgrade=False)
        check(head, [len(head) - 2], "HEAD", upgrade=False)


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_in_each_place_is_read_the_same(byte: int) -> None:
    data = OK + b"X-A: bc\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    for at in range(len(data)):
        check(data[:at] + bytes([byte]) + data[at + 1 :], [], "GET", upgrade=False)
        check(data[:at] + bytes([byte]) + data[at:], [], "GET", upgrade=False)


# What one head leaves behind for the next


def test_lines_are_known_in_their_places_and_read_anew_elsewhere() -> None:
    heads = [
        b"A: 1\r\nB: 2\r\nC: 3\r\n",
        b"A: 1\r\nB: 3\r\nC: 3\r\n",
        b"B: 3\r\nA: 1\r\n",
        b"",
        b"A: 1\r\nB: 22\r\nC: 3\r\nD: 4\r\n",
        b"A: 1 \r\nB: 22\r\n",
        b"A: 12\r\nB: 2\r\n",
        b"A: " + b"1" * 500 + b"\r\nB: 2\r\n",
        b"".join(b"A%d: 1\r\n" % number for number in range(100)),
    ]
    reader = PlainHeadReader()
    for section in heads * 2:
        data = b"HTTP/1.1 200 OK\r\n" + section + b"\r\nrest"
        known, anew = reader.read(data, LIMIT), read(data)
        assert (known is None) == (anew is None)
        if known is not None and anew is not None:
            assert (fields_of(known), known.size) == (fields_of(anew), anew.size)


def test_a_known_line_says_again_what_it_says_of_the_connection() -> None:
    reader = PlainHeadReader()
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    for _ in range(3):
        head = reader.read(data, LIMIT)
        assert head is not None
        assert (head.length, head.closes) == (5, True)
    twice = data[:-2] + b"Content-Length: 5\r\n\r\n"
    assert reader.read(twice, LIMIT) is None
    assert reader.read(twice, LIMIT) is None
