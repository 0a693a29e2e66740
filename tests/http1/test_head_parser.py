"""http1/head_parser.py: one head, from what aiohttp's parser says."""

import asyncio

import pytest
from aiohttp.http_parser import HttpRequestParser

from corsproxy.core.policy import Limits
from corsproxy.http1.head_parser import HeadParser, MalformedHeadError
from corsproxy.http1.request_message import RequestMessage

HEAD = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def parser() -> HeadParser:
    return HeadParser(asyncio.get_running_loop(), Limits(), "192.0.2.1", True)


async def read(data: bytes) -> RequestMessage:
    """The request whose head `data` is."""
    message = parser().feed(data, is_all=True)
    assert message is not None
    return message


def test_what_is_used_of_aiohttp_is_there() -> None:
    assert callable(HttpRequestParser.feed_data)


async def test_the_head_is_what_was_received() -> None:
    head = (await read(b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nX-A: caf\xe9 \r\n\r\n")).head
    assert (head.method, head.target, head.minor_version) == ("GET", b"/a?b", 1)
    assert head.fields == ((b"Host", b"localhost"), (b"X-A", b"caf\xe9"))
    assert (head.client, head.secure) == ("192.0.2.1", True)


@pytest.mark.parametrize(
    ("version", "is_known", "minor_version"),
    [(b"1.1", True, 1), (b"1.0", True, 0), (b"2.0", False, 1)],
)
async def test_the_version_is_one_that_is_spoken_here_or_not(
    version: bytes, is_known: bool, minor_version: int
) -> None:
    message = await read(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    assert (message.is_known, message.head.minor_version) == (is_known, minor_version)


async def test_what_the_fields_say_of_the_connection_and_the_content() -> None:
    message = await read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (message.should_close, message.upgrade, message.expects) == (False, False, False)
    assert message.length is None
    message = await read(
        b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 12\r\nConnection: close\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert message.should_close
    assert message.expects
    assert message.length == 12
    message = await read(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    assert message.upgrade
    message = await read(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert message.length is None
    assert message.is_chunked


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_length_of_zero_is_no_content(method: str) -> None:
    head = f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    message = await read(head.encode())
    assert (message.length or 0, message.is_chunked) == (0, False)


async def test_connect_has_no_content_and_ends_its_connection() -> None:
    message = await read(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    assert (message.length, message.is_chunked, message.should_close) == (None, False, True)


async def test_a_head_in_pieces_is_read_when_its_end_is_there() -> None:
    for size in (1, 7):
        own = parser()
        pieces = [HEAD[at : at + size] for at in range(0, len(HEAD), size)]
        for piece in pieces[:-1]:
            assert own.feed(piece, is_all=False) is None
        message = own.feed(pieces[-1], is_all=True)
        assert message is not None
        assert message.head.target == b"/a"


@pytest.mark.parametrize("begun", [b"\x16\x03\x01", b"GET / HTTP/1.1\nH", HEAD[:20] + b"A b: c"])
async def test_what_cannot_be_a_head_is_noticed_before_it_ends(begun: bytes) -> None:
    with pytest.raises(MalformedHeadError):
        parser().feed(begun, is_all=False)


async def test_an_end_that_is_none_to_both_is_malformed() -> None:
    """Where two of us saw an end in different places, what follows would be read twice."""
    for data, is_all in ((HEAD, False), (HEAD[:-2], True), (HEAD + HEAD, True)):
        with pytest.raises(MalformedHeadError):
            parser().feed(data, is_all=is_all)
