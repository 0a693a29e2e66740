"""What the queue of requests uses of aiohttp. What it does, the connection's tests show."""

import inspect

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import StreamReader

from corsproxy.shell.client.receiver import Receiver


def test_what_is_used_of_aiohttp_is_there() -> None:
    for name in ("feed_data", "message_consumed", "pause_reading", "set_upgraded"):
        assert callable(getattr(HttpRequestParser, name))


@pytest.mark.parametrize("name", ["pause_reading", "resume_reading"])
def test_readers_of_content_find_what_they_call(name: str) -> None:
    theirs, ours = (inspect.signature(getattr(each, name)) for each in (BaseProtocol, Receiver))
    assert list(ours.parameters) == list(theirs.parameters)
    assert (
        name in StreamReader.feed_data.__code__.co_names + StreamReader.feed_eof.__code__.co_names
    )
