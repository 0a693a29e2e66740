"""shell/upstream/http1_response.py: a response outlives its connection."""

import asyncio

import pytest

from corsproxy.core.messages import Framing, UpstreamHead
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.upstream.http1_response import Http1Response

HEAD = UpstreamHead(200, b"OK", ((b"Content-Length", b"5"),), Framing.LENGTH)
CUT = UpstreamError(UpstreamFault.TRUNCATED, "cut")


class Line:
    """A connection that remembers what it was asked to do."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("hold")

    def resume_reading(self) -> None:
        self.calls.append("flow")

    def give_up(self) -> None:
        self.calls.append("give up")

    async def write(self, data: bytes) -> None:
        self.calls.append(f"write {data.decode()}")

    def push(self, data: bytes) -> None:
        self.calls.append(f"push {data.decode()}")

    def write_eof(self) -> None:
        self.calls.append("write eof")


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
async def response(line: Line) -> Http1Response:
    return Http1Response(line)


async def test_the_head_is_there_once_it_has_arrived(response: Http1Response) -> None:
    with pytest.raises(RuntimeError, match="not arrived"):
        _ = response.head
    response.arrive(HEAD)
    await response.arrival()
    assert response.head is HEAD


async def test_a_failure_before_the_head_is_told_to_who_waits_for_it(
    response: Http1Response,
) -> None:
    response.content.fail(CUT)
    with pytest.raises(UpstreamError):
        await response.arrival()


async def test_a_failure_after_the_head_leaves_what_has_arrived(response: Http1Response) -> None:
    response.arrive(HEAD)
    response.content.put(b"half")
    response.content.fail(CUT)
    await response.arrival()
    assert await response.read() == b"half"
    with pytest.raises(UpstreamError):
        await response.read()


async def test_who_waits_for_the_head_learns_of_it_at_once(response: Http1Response) -> None:
    waiting = asyncio.ensure_future(response.arrival())
    await asyncio.sleep(0)
    response.arrive(HEAD)
    response.content.wake()
    await waiting


async def test_nobody_has_to_wait_for_the_head(response: Http1Response) -> None:
    """The waiting side is cancelled when its client leaves."""
    waiting = asyncio.ensure_future(response.arrival())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    response.arrive(HEAD)
    response.content.fail(CUT)
    response.content.wake()
    assert waiting.cancelled()


async def test_aborting_drops_the_connection_while_it_is_the_answers(
    line: Line, response: Http1Response
) -> None:
    response.abort()
    assert line.calls == ["give up"]
    response.detach(touched=True)
    response.abort()
    assert line.calls == ["give up"], "somebody else's exchange by now"
    assert response.touched


async def test_a_tunnel_begins_with_what_came_behind_the_101(
    line: Line, response: Http1Response
) -> None:
    response.content.put(b"early")
    tunnel = response.switch()
    assert await tunnel.read() == b"early"
    await tunnel.write(b"hi")
    tunnel.write_eof()
    tunnel.abort()
    assert line.calls == ["write hi", "write eof", "give up"]


async def test_a_tunnel_on_a_lost_connection_can_be_closed_but_not_written(
    line: Line, response: Http1Response
) -> None:
    response.detach(touched=False)
    tunnel = response.switch()
    with pytest.raises(ConnectionResetError):
        await tunnel.write(b"hi")
    tunnel.write_eof()
    tunnel.abort()
    assert line.calls == []
