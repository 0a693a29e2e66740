"""shell/streams/tunnel.py: two byte streams joined."""

import asyncio
import os

import pytest

from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.streams.seams import ByteStream
from corsproxy.shell.streams.tunnel import ByteTunnel
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.exchanges import ask, make_request, make_route
from tests.peers import PeerConnection, RawPeer, until

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


class Stream:
    """A ByteStream of which the test plays the peer."""

    def __init__(self, *arriving: bytes | Exception) -> None:
        """`arriving` comes at once; after it, silence until `arrive` is called."""
        self._arriving: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        for item in arriving:
            self._arriving.put_nowait(item)
        self.written: list[bytes] = []
        self.refuses: Exception | None = None
        self.ended = False
        self.aborted = 0
        self.is_read = False
        """Whether somebody waits for what it reads."""

    def arrive(self, item: bytes | Exception) -> None:
        self._arriving.put_nowait(item)

    async def read(self) -> bytes:
        self.is_read = True
        try:
            item = await self._arriving.get()
        finally:
            self.is_read = False
        if isinstance(item, Exception):
            raise item
        return item

    async def write(self, data: bytes) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.written.append(data)

    def push(self, data: bytes) -> None:
        self.written.append(data)

    def write_eof(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.aborted += 1


async def test_bytes_go_both_ways_and_are_counted() -> None:
    a, b = Stream(b"one", b"two", b""), Stream(b"three", b"")
    assert await ByteTunnel(a, b).run() == (6, 5)
    assert (b.written, a.written) == ([b"one", b"two"], [b"three"])
    assert a.ended
    assert b.ended
    assert a.aborted == b.aborted == 0


async def test_the_end_of_one_direction_leaves_the_other_alone() -> None:
    a, b = Stream(b"request", b""), Stream()
    splicing = asyncio.ensure_future(ByteTunnel(a, b).run())
    await until(lambda: b.ended)
    assert not a.ended
    b.arrive(b"answer")
    b.arrive(b"")
    assert await splicing == (7, 6)


@pytest.mark.parametrize(
    "failure", [ConnectionResetError(), UpstreamError(UpstreamFault.TRUNCATED, "cut")]
)
async def test_a_dropped_connection_takes_the_other_with_it(failure: Exception) -> None:
    for a, b in (
        (Stream(b"abc", failure), Stream(b"de")),
        (Stream(b"abc"), Stream(b"de", failure)),
    ):
        assert await ByteTunnel(a, b).run() == (3, 2)
        assert a.aborted
        assert b.aborted
        assert not a.ended
        assert not b.ended


async def test_a_peer_that_refuses_bytes_takes_the_other_with_it() -> None:
    a, b = Stream(b"abc"), Stream()
    b.refuses = BrokenPipeError()
    assert await ByteTunnel(a, b).run() == (0, 0)
    assert a.aborted
    assert b.aborted


async def test_a_bug_is_not_swallowed() -> None:
    a, b = Stream(KeyError("bug")), Stream()
    with pytest.raises(KeyError):
        await ByteTunnel(a, b).run()
    assert a.aborted
    assert b.aborted


async def test_cancelling_drops_both_and_leaves_nobody_waiting() -> None:
    a, b = Stream(), Stream()
    splicing = asyncio.ensure_future(ByteTunnel(a, b).run())
    await until(lambda: a.is_read and b.is_read)
    splicing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await splicing
    assert a.aborted
    assert b.aborted
    await until(lambda: not (a.is_read or b.is_read))


async def tunnel_to(pools: UpstreamPools, port: int) -> ByteStream:
    response = await ask(pools, make_route(port), make_request(upgrade=True))
    return response.switch()


async def test_two_upstreams_can_talk_to_each_other(pools: UpstreamPools) -> None:
    """Real sockets on both sides, 8 MiB each way, half-closed from either end."""
    sent = os.urandom(8 * 1024 * 1024)

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH)

        async def send() -> None:
            await peer.send(sent)
            peer.finish()

        _, received = await asyncio.gather(send(), peer.closed())
        assert received == sent

    async with RawPeer(script) as one, RawPeer(script) as two:
        a, b = await tunnel_to(pools, one.port), await tunnel_to(pools, two.port)
        assert await ByteTunnel(a, b).run() == (len(sent), len(sent))
        await until(lambda: all(pool.open == 0 for pool in pools.figures()))


async def test_a_reset_reaches_the_other_end(pools: UpstreamPools) -> None:
    async def resets(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH + b"x")
        await peer.exactly(1)
        await peer.reset()

    gone = asyncio.Event()

    async def waits(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH + b"y")
        assert await peer.closed() == b"x"
        gone.set()

    async with RawPeer(resets) as one, RawPeer(waits) as two:
        a, b = await tunnel_to(pools, one.port), await tunnel_to(pools, two.port)
        assert await ByteTunnel(a, b).run() == (1, 1)
        async with asyncio.timeout(20):
            await gone.wait()
