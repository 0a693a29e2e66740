"""What aiohttp gets instead of its own objects."""

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request

from corsproxy.shell.faults import ClientLeftError
from corsproxy.shell.intake import Intake
from corsproxy.shell.stand_ins import RequestAndResponse, SentResponse, TunnelParser


class Tap:
    def hold(self) -> None: ...

    def flow(self) -> None: ...


async def test_a_tunnel_s_parser_passes_everything_on() -> None:
    intake = Intake(Tap())
    parser = TunnelParser(intake)
    assert parser.feed_data(b"a\0b") == (False, b"")
    assert await intake.read() == b"a\0b"
    parser.feed_eof()
    with pytest.raises(ClientLeftError):
        await intake.read()


async def test_what_has_been_sent_needs_no_more_writing() -> None:
    both = RequestAndResponse()
    both._finish()
    both._cancel(ConnectionResetError())
    await both.prepare(make_mocked_request("GET", "/"))
    await both.write_eof()
    assert not both.keep_alive


async def test_a_sent_response_waits_for_the_end_of_its_connection() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        await ended.wait()

    response = SentResponse(wait)
    preparing = asyncio.ensure_future(response.prepare(make_mocked_request("GET", "/")))
    await asyncio.sleep(0)
    assert not preparing.done()
    ended.set()
    await preparing
    await response.write_eof()
    assert not response.keep_alive
