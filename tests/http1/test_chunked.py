"""http1/chunked.py: the end to the byte, and nothing forgiven."""

from itertools import pairwise

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.http1.chunked import ChunkedCodingError, ChunkedDecoder
from tests.fakes import FakeUpstream, echo, get, serving

VALID = {
    "nothing": (b"0\r\n\r\n", b""),
    "one chunk": (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    "two chunks": (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    "a line break inside": (b"4\r\na\r\n0\r\n0\r\n\r\n", b"a\r\n0"),
    "hexadecimal": (b"1a\r\n" + b"a" * 26 + b"\r\n0\r\n\r\n", b"a" * 26),
    "in capitals": (b"1A\r\n" + b"a" * 26 + b"\r\n0\r\n\r\n", b"a" * 26),
    "zeros before": (b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
    "an extension": (b"3;a=b\r\nabc\r\n0;c\r\n\r\n", b"abc"),
    "a quoted extension": (b'3;a="b;c"\r\nabc\r\n0\r\n\r\n', b"abc"),
    "trailers": (b"3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\n", b"abc"),
}

MALFORMED = {
    "no size": b"\r\nabc\r\n",
    "a word": b"nonsense\r\n",
    "a negative size": b"-1\r\na\r\n",
    "a signed size": b"+1\r\na\r\n",
    "0x": b"0x1\r\na\r\n",
    "an underscore": b"1_0\r\n",
    "other digits": b"\xb2\r\nab\r\n",
    "white space before": b" 1\r\na\r\n",
    "white space behind": b"1 \r\na\r\n",
    "a tab": b"1\t\r\na\r\n",
    "too many digits": b"f" * 16 + b"\r\n",
    "a bare LF behind the size": b"1\na\r\n0\r\n\r\n",
    "a bare CR behind the size": b"1\ra\r\n0\r\n\r\n",
    "two CR": b"1\r\r\na\r\n0\r\n\r\n",
    "an empty extension": b"1;\r\na\r\n0\r\n\r\n",
    "an empty extension behind another": b"1;a;\r\na\r\n0\r\n\r\n",
    "an empty extension before another": b"1;;a\r\na\r\n0\r\n\r\n",
    "an extension of white space": b"1; \r\na\r\n0\r\n\r\n",
    "an extension without a name": b"1;=a\r\na\r\n0\r\n\r\n",
    "an extension without a value": b"1;a=\r\na\r\n0\r\n\r\n",
    "an extension whose quotes do not end": b'1;a="b\r\na\r\n0\r\n\r\n',
    "an empty extension of the last chunk": b"0;\r\n\r\n",
    "a bare LF in an extension": b"1;a\nb\r\na\r\n0\r\n\r\n",
    "a bare CR in an extension": b"1;a\rb\r\na\r\n0\r\n\r\n",
    "NUL in an extension": b"1;a\0\r\na\r\n0\r\n\r\n",
    "a chunk that is longer than it says": b"1\r\nab\r\n0\r\n\r\n",
    "a chunk that is shorter than it says": b"3\r\nab\r\n0\r\n\r\n",
    "a bare LF behind a chunk": b"1\r\na\n0\r\n\r\n",
    "nothing behind a chunk": b"1\r\na0\r\n\r\n",
    "a request behind the last chunk": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a trailer without a name": b"0\r\n: b\r\n\r\n",
    "white space before a trailer": b"0\r\n A: b\r\n\r\n",
    "white space before the colon": b"0\r\nA : b\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a bare LF behind a trailer": b"0\r\nA: b\n\r\n",
    "a bare LF at the end": b"0\r\n\n",
    "a long extension": b"1;" + b"a" * 5000,
    "a long trailer": b"0\r\nA: " + b"a" * 5000,
    "many extensions": b"1;%b\r\na\r\n" % (b"a" * 1000) * 20,
    "many trailers": b"0\r\n" + b"A: b\r\n" * 4000,
}


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at for at in cuts if at < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def decoded(pieces: list[bytes]) -> tuple[bytes, int | None]:
    """What is decoded, and how many bytes that took; None where it has not ended."""
    decoder, content, taken = ChunkedDecoder(), b"", 0
    for piece in pieces:
        data, end = decoder.decode(piece, 0)
        content += data
        taken += end
        if decoder.has_ended:
            return content, taken
        assert end == len(piece)
    return content, None


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("case", VALID)
def test_what_is_valid_ends_where_it_ends(case: str, size: int) -> None:
    coded, content = VALID[case]
    for behind in (b"", b"GET / HTTP/1.1\r\n", b"0\r\n\r\n"):
        data = coded + behind
        assert decoded(cut(data, [*range(0, len(data), size)])) == (content, len(coded))


def test_it_begins_where_it_is_told() -> None:
    assert ChunkedDecoder().decode(b"ff1\r\na\r\n0\r\n\r\nff", 2) == (b"a", 13)


@pytest.mark.parametrize("size", [1, 3, 100_000])
@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_noticed(case: str, size: int) -> None:
    data = MALFORMED[case]
    with pytest.raises(ChunkedCodingError):
        decoded(cut(data, [*range(0, len(data), size)]))


@pytest.mark.parametrize(
    "begun",
    [b"x", b"1 x", b"1;\0", b"1\r\naX", b"1\r\na\rX", b"1\rX", b"0\r\n ", b"0\r\nA b", b"0\r\n\rA"],
)
def test_a_line_that_cannot_be_valid_is_refused_before_its_end(begun: bytes) -> None:
    with pytest.raises(ChunkedCodingError):
        ChunkedDecoder().decode(begun, 0)


class Known:
    """What llhttp makes of the same."""

    def __init__(self) -> None:
        self.content = b""
        self.has_ended = False

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.has_ended = True


def by_llhttp(data: bytes) -> tuple[bytes, bool]:
    """What llhttp decodes; raises HttpParserError."""
    known = Known()
    parser = httptools.HttpRequestParser(known)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    return known.content, known.has_ended


PARTS = st.sampled_from(
    [
        b"0", b"1", b"2", b"a", b"A", b"03", b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r",
        b"0\r\n\r\n", b"1\r\na\r\n", b"2\r\nab\r\n", b"3;x=y\r\nabc\r\n", b";x", b"A: b\r\n", b" ",
        b"\t", b'"', b"=", b":", b"\0", b"\xff", b"g", b"-", b"+",
    ]
)  # fmt: skip


@settings(max_examples=1000)
@given(st.lists(PARTS, max_size=12).map(b"".join), st.lists(st.integers(1, 40), max_size=4))
def test_what_is_accepted_llhttp_reads_the_same(data: bytes, cuts: list[int]) -> None:
    """It may be stricter, and never finds another content or another end."""
    try:
        content, end = decoded(cut(data, cuts))
    except ChunkedCodingError:
        return
    try:
        known, has_ended = by_llhttp(data[:end])
    except httptools.HttpParserError:
        # It looks into extensions, which are dropped here.
        assert b";" in data
        return
    assert (content, end is not None) == (known, has_ended)
    if end:
        assert by_llhttp(data[: end - 1])[1] is False


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 900)))
def test_everything_that_is_coded_is_decoded(chunks: list[bytes], cuts: list[int]) -> None:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
    assert decoded(cut(coded + b"GET", cuts)) == (b"".join(chunks), len(coded))


async def test_requests_follow_chunked_content_wherever_it_is_cut() -> None:
    coded, content = VALID["trailers"]
    sent = get("/", "Transfer-Encoding: chunked", method="POST") + coded + get("/next")
    async with serving(FakeUpstream(echo)) as proxy:
        client = await proxy.connect()
        for at in range(len(sent) - len(coded) - len(get("/next")), len(sent), 3):
            await client.send(sent[:at], sent[at:])
            assert (await client.reply()).content == content
            assert (await client.reply()).content == b""
