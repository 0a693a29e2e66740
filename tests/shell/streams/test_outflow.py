"""shell/streams/outflow.py: writing at the pace of the peer."""

import asyncio

import pytest

from corsproxy.http1.chunked import chunk
from corsproxy.shell.streams.outflow import Outflow
from corsproxy.shell.streams.piece import TURN
from tests.exchanges import Body


class Pipe(asyncio.Transport):
    """A transport that holds one write at most, or any number."""

    def __init__(self, *, roomy: bool = False) -> None:
        super().__init__()
        self._roomy = roomy
        self.written: list[bytes] = []
        self.closed = False
        self.stalls: list[bool] = []
        self.outflow = Outflow(self, self.stalls.append)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        if not self._roomy:
            self.outflow.choke()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.outflow.release()


async def test_a_writer_waits_until_there_is_room() -> None:
    pipe = Pipe()
    writing = asyncio.ensure_future(pipe.outflow.write(b"one"))
    done, _ = await asyncio.wait([writing], timeout=0)
    assert not done
    assert pipe.stalls == [True]
    pipe.outflow.release()
    await writing
    assert pipe.stalls == [True, False]


async def test_a_writer_learns_that_the_connection_is_gone() -> None:
    pipe = Pipe()
    writing = asyncio.ensure_future(pipe.outflow.write(b"one"))
    await asyncio.wait([writing], timeout=0)
    pipe.close()
    with pytest.raises(ConnectionResetError):
        await writing
    with pytest.raises(ConnectionResetError):
        await pipe.outflow.write(b"two")
    assert pipe.written == [b"one"]


@pytest.mark.parametrize(
    ("chunked", "wire"),
    [(False, [b"one", b"two"]), (True, [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"])],
)
async def test_content_is_framed_and_sent(chunked: bool, wire: list[bytes]) -> None:
    pipe, body = Pipe(), Body(b"one", b"two")
    body.more.set()
    sending = asyncio.ensure_future(pipe.outflow.send_content(body, chunked=chunked))
    while not sending.done():
        pipe.outflow.release()
        await asyncio.wait([sending], timeout=0.001)
    assert pipe.written == wire


async def test_content_for_a_connection_that_is_gone_ends_quietly() -> None:
    pipe, body = Pipe(), Body(b"one", b"two")
    body.more.set()
    sending = asyncio.ensure_future(pipe.outflow.send_content(body, chunked=True))
    await asyncio.wait([sending], timeout=0)
    pipe.close()
    await sending
    assert pipe.written == [b"3\r\none\r\n"]


class AtHand(Body):
    """A body that never has to be waited for, and never ends."""

    at_end = False

    async def read(self, most: int = 0) -> bytes:
        return bytes(100_000)


async def test_content_that_is_always_at_hand_lets_others_run() -> None:
    pipe = Pipe(roomy=True)
    asyncio.get_running_loop().call_soon(pipe.close)
    await pipe.outflow.send_content(AtHand(), chunked=False)
    assert pipe.closed
    assert len(b"".join(pipe.written)) <= TURN + 100_000


async def test_what_the_body_raises_is_raised() -> None:
    body = Body(failure=ValueError("the client has left"))
    body.more.set()
    with pytest.raises(ValueError, match="left"):
        await Pipe().outflow.send_content(body, chunked=True)


def test_a_chunk_says_its_length_in_hexadecimal() -> None:
    assert chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
