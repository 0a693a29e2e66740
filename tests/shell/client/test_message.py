"""A request as its connection has it, from what aiohttp's parser says."""

import asyncio
from typing import cast

import pytest

from corsproxy.core.policy import Limits
from corsproxy.shell.client.message import RequestMessage
from corsproxy.shell.client.receiver import Receiver
from corsproxy.shell.streams.piece import ReadBuffer


async def read(data: bytes) -> RequestMessage:
    """The one request whose head is in `data`."""
    receiver = Receiver(asyncio.get_running_loop(), Limits(), ReadBuffer())
    receiver.client, receiver.secure = "192.0.2.1", True
    receiver._parse(data)
    ((message, _),) = receiver._waiting
    return cast(RequestMessage, message)


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
