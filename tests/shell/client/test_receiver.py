"""What the queue of requests uses of aiohttp. What it does, the connection's tests show."""

import inspect

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import StreamReader

from corsproxy.shell.client.receiver import Receiver


def test_what_is_used_of_aiohttp_is_there() -> None:
    for name in ("feed_data", "message_consumed", "set_upgraded"):
        assert callable(getattr(HttpRequestParser, name))


def test_readers_of_content_find_what_they_call() -> None:
    theirs, ours = (inspect.signature(each.resume_reading) for each in (BaseProtocol, Receiver))
    assert list(ours.parameters) == list(theirs.parameters)
    assert "resume_reading" in StreamReader.feed_eof.__code__.co_names
