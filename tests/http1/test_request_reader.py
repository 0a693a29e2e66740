"""http1/request_reader.py: where one request ends and the next begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.policy import Limits
from corsproxy.http1.chunked import ChunkedCodingError
from corsproxy.http1.head_parser import MalformedHeadError
from corsproxy.http1.request_reader import (
    CHUNKED,
    FAILED,
    HEAD,
    IDLE,
    LENGTH,
    SWITCH,
    TRANSITIONS,
    ReaderEvent,
    ReaderState,
    RequestReader,
)
from corsproxy.http1.unfinished_head import HeadBudget

GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nGET "
CHUNKS = (
    b"PUT /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nGE\r\n2;a=b\r\nT \r\n0\r\n\r\n"
)
UNUSUAL = b"\r\nDELETE http://localhost/d HTTP/1.1\r\nhost:localhost\r\n\r\n"


def reader() -> RequestReader:
    new = RequestReader(Limits(), HeadBudget(1024 * 1024))
    new.begin("127.0.0.1", False)
    return new


def feed(own: RequestReader, data: bytes) -> list[str | bytes]:
    """What comes out of `data`: methods with targets, and content."""
    out: list[str | bytes] = []
    at = 0
    while at < len(data):
        if own.state is LENGTH or own.state is CHUNKED:
            out.append(own.read_content(data, at))
        else:
            message = own.read_head(data, at)
            if message is not None:
                out.append(f"{message.head.method} {message.head.target.decode()}")
        at = own.end
    return out


def told(out: list[str | bytes]) -> list[str | bytes]:
    """The same, with content that came in pieces in one."""
    whole: list[str | bytes] = []
    for each in out:
        if isinstance(each, bytes) and whole and isinstance(whole[-1], bytes):
            whole[-1] += each
        else:
            whole.append(each)
    return [each for each in whole if each]


REQUESTS: dict[bytes, list[str | bytes]] = {
    GET: ["GET /a"],
    POST: ["POST /b", b"GET "],
    CHUNKS: ["PUT /c", b"GET "],
    UNUSUAL: ["DELETE http://localhost/d"],
}


@given(
    st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=4),
    st.lists(st.integers(1, 120), max_size=20),
)
def test_it_reads_the_same_wherever_the_bytes_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    data, own, out = b"".join(sent), reader(), list[str | bytes]()
    for size in [*cuts, len(data)]:
        out += feed(own, data[:size])
        data = data[size:]
    assert told(out) == [part for each in sent for part in REQUESTS[each]]
    assert own.state is IDLE


def test_each_state_says_what_comes_next() -> None:
    own = reader()
    assert own.read_head(GET[:9], 0) is None
    assert (own.state, own.end) == (HEAD, 9)
    assert own.read_head(GET, 9) is not None
    assert (own.state, own.end) == (IDLE, len(GET))
    own.read_head(POST, 0)
    assert (own.state, own.left) == (LENGTH, 4)
    own.count(4)
    seen = [own.state]
    own.read_head(GET[:-2] + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", 0)
    seen.append(own.state)
    own.decline_switch()
    seen.append(own.state)
    assert seen == [IDLE, SWITCH, IDLE]


def test_an_upgrade_with_content_switches_nothing() -> None:
    own = reader()
    own.read_head(POST.replace(b"Content", b"Upgrade: x\r\nConnection: upgrade\r\nContent"), 0)
    assert own.state is LENGTH


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nA: b\r\n"])
def test_behind_garbage_nothing_is_read(begun: bytes) -> None:
    own = reader()
    if begun:
        own.read_head(begun, 0)
    with pytest.raises(MalformedHeadError):
        own.read_head(b"garbage\r\n\r\n", 0)
    assert own.state is FAILED
    assert own.take_unfinished() == begun + b"garbage\r\n\r\n"


@pytest.mark.parametrize(
    "content", [b"-1\r\n", b"2;\r\naa\r\n0\r\n\r\n", b"2;=\r\naa\r\n", b"2\r\naaa"]
)
def test_behind_broken_content_nothing_is_read(content: bytes) -> None:
    """An empty chunk extension (RFC 9112, 7.1.1) among others: llhttp refuses it, too."""
    own = reader()
    own.read_head(CHUNKS, 0)
    with pytest.raises(ChunkedCodingError):
        own.read_content(content, 0)
    assert own.state is FAILED


def test_the_table_has_every_state_and_ends_in_failure() -> None:
    assert set(TRANSITIONS) == set(ReaderState)
    assert TRANSITIONS[FAILED] == {}
    with pytest.raises(KeyError):
        TRANSITIONS[LENGTH][ReaderEvent.HEAD_BEGUN]
