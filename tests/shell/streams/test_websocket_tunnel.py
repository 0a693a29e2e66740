"""shell/streams/websocket_tunnel.py: both ends are told that the way between them ends."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from corsproxy.shell.streams.websocket_tunnel import WebSocketTunnel
from tests.peers import settled, until
from tests.policies import PAGE
from tests.process import FREE_PORTS, started
from tests.running import Running
from tests.shell.streams.test_tunnel import Stream

CLOSE = Frame(Opcode.CLOSE, Close(1001, "").serialize())
END = b""


class End(Stream):
    """One endpoint, which speaks in frames and gets frames."""

    def __init__(self, *, masks: bool) -> None:
        super().__init__()
        self._masks = masks

    def says(self, *frames: Frame) -> None:
        self.arrive(b"".join(map(self.bytes_of, frames)))

    def bytes_of(self, frame: Frame) -> bytes:
        return frame.serialize(mask=self._masks)

    def heard(self) -> list[Frame]:
        """The frames that have come since the last time; one in progress is left for later."""
        frames = []
        while True:
            reader = StreamReader()
            reader.feed_data(b"".join(self.written))
            try:
                next(Frame.parse(reader.read_exact, mask=not self._masks))
            except StopIteration as complete:
                frames.append(complete.value)
                self.written = [bytes(reader.buffer)]
            else:
                return frames


class Joined:
    """A tunnel between two such endpoints."""

    def __init__(self) -> None:
        self.client = End(masks=True)
        self.upstream = End(masks=False)
        self.tunnel = WebSocketTunnel(self.client, self.upstream)
        self.run = asyncio.ensure_future(self.tunnel.run())

    async def over(self) -> None:
        async with asyncio.timeout(20):
            await self.run
        assert not self.client.aborted
        assert not self.upstream.aborted


@asynccontextmanager
async def joined() -> AsyncIterator[Joined]:
    pair = Joined()
    await asyncio.sleep(0)
    yield pair
    pair.run.cancel()
    await asyncio.wait([pair.run])


def text(words: bytes, *, final: bool = True) -> Frame:
    return Frame(Opcode.TEXT, words, final)


async def test_until_the_end_bytes_go_both_ways_as_they_are() -> None:
    async with joined() as pair:
        frames = b"".join(pair.client.bytes_of(text(words)) for words in (b"one", b"two"))
        pair.client.arrive(frames)
        pair.upstream.arrive(b"no frame")
        await until(lambda: len(pair.client.written) == len(pair.upstream.written) == 1)
        assert pair.upstream.written == [frames]
        assert pair.client.written == [b"no frame"]
        pair.client.arrive(END)
        await until(lambda: pair.upstream.ended)
        pair.upstream.arrive(b"late")
        pair.upstream.arrive(END)
        await pair.over()
        assert pair.client.written[-1] == b"late"
        assert pair.client.ended


async def test_both_ends_are_told_and_let_go_as_they_answer() -> None:
    async with joined() as pair:
        assert pair.tunnel.part()
        assert pair.tunnel.is_parting
        assert pair.client.heard() == pair.upstream.heard() == [CLOSE]
        pair.client.says(CLOSE)
        await until(lambda: pair.client.ended)
        assert (pair.upstream.ended, pair.run.done()) == (False, False)
        pair.upstream.says(CLOSE)
        await pair.over()
        assert pair.upstream.ended
        assert pair.client.heard() == pair.upstream.heard() == []


async def test_an_end_that_only_closes_the_connection_has_answered_too() -> None:
    async with joined() as pair:
        pair.tunnel.part()
        pair.client.arrive(END)
        pair.upstream.arrive(END)
        await pair.over()
        assert pair.client.ended
        assert pair.upstream.ended


async def test_what_comes_behind_the_close_goes_nowhere() -> None:
    async with joined() as pair:
        pair.tunnel.part()
        pair.client.says(text(b"late"))
        pair.upstream.says(text(b"late"), CLOSE)
        pair.client.says(CLOSE)
        await pair.over()
        assert pair.client.heard() == pair.upstream.heard() == [CLOSE]


async def test_a_frame_in_progress_goes_before_the_close() -> None:
    async with joined() as pair:
        frame = pair.upstream.bytes_of(text(b"x" * 70_000))
        pair.upstream.arrive(frame[:5])
        await until(lambda: len(pair.client.written) == 1)
        pair.tunnel.part()
        assert pair.client.heard() == []
        assert pair.upstream.heard() == [CLOSE]
        pair.upstream.arrive(frame[5:60_000])
        pair.upstream.arrive(frame[60_000:] + pair.upstream.bytes_of(text(b"late"))[:3])
        await until(lambda: len(b"".join(pair.client.written)) > len(frame))
        assert pair.client.heard() == [text(b"x" * 70_000), CLOSE]
        pair.client.says(CLOSE)
        pair.upstream.arrive(pair.upstream.bytes_of(text(b"late"))[3:])
        pair.upstream.says(CLOSE)
        await pair.over()
        assert pair.client.heard() == []


async def test_a_message_in_progress_is_cut_between_its_frames() -> None:
    """Control frames may stand among the frames of a message (RFC 6455, 5.4)."""
    async with joined() as pair:
        pair.client.says(text(b"one, ", final=False))
        await until(lambda: bool(pair.upstream.written))
        pair.tunnel.part()
        assert pair.upstream.heard() == [text(b"one, ", final=False), CLOSE]
        pair.client.says(Frame(Opcode.CONT, b"two"), CLOSE)
        pair.upstream.says(CLOSE)
        await pair.over()
        assert pair.upstream.heard() == []


async def test_an_end_that_dies_within_a_frame_is_not_spoken_for() -> None:
    async with joined() as pair:
        pair.upstream.arrive(pair.upstream.bytes_of(text(b"hello"))[:4])
        await until(lambda: bool(pair.client.written))
        pair.tunnel.part()
        pair.upstream.arrive(END)
        await until(lambda: pair.client.ended)
        assert pair.client.heard() == []
        pair.client.says(CLOSE)
        await pair.over()


async def test_ends_that_are_closing_already_are_left_to_themselves() -> None:
    async with joined() as pair:
        pair.client.says(Frame(Opcode.CLOSE, Close(4001, "enough").serialize()))
        await until(lambda: bool(pair.upstream.written))
        assert pair.tunnel.part()
        answer = Frame(Opcode.CLOSE, Close(4001, "").serialize())
        pair.upstream.says(text(b"last"), answer)
        pair.upstream.arrive(END)
        pair.client.arrive(END)
        await pair.over()
        assert pair.client.heard() == [text(b"last"), answer]
        assert len(pair.upstream.heard()) == 1


async def test_a_close_that_was_on_its_way_is_the_only_one() -> None:
    async with joined() as pair:
        close = Frame(Opcode.CLOSE, Close(4002, "").serialize())
        pair.upstream.arrive(pair.upstream.bytes_of(close)[:1])
        await until(lambda: bool(pair.client.written))
        pair.tunnel.part()
        pair.upstream.arrive(pair.upstream.bytes_of(close)[1:])
        await until(lambda: len(pair.client.written) == 2)
        pair.client.says(close)
        await settled(lambda: len(pair.upstream.written))
        ended_early = pair.client.ended
        pair.upstream.arrive(END)
        await pair.over()
        assert pair.client.heard() == [close]
        assert (ended_early, pair.client.ended) == (False, True)


@pytest.mark.parametrize("speaker", ["client", "upstream"])
async def test_what_speaks_something_else_is_not_told(speaker: str) -> None:
    async with joined() as pair:
        ends = {"client": (pair.client, pair.upstream), "upstream": (pair.upstream, pair.client)}
        source, sink = ends[speaker]
        source.arrive(b"hello, this is no frame")
        await until(lambda: bool(sink.written))
        assert not pair.tunnel.part()
        assert not pair.tunnel.is_parting
        assert len(sink.written) == 1
        assert source.written == []


async def test_an_end_that_is_gone_keeps_nobody_from_being_told() -> None:
    async with joined() as pair:

        def refuse(data: bytes) -> None:
            raise ConnectionResetError

        pair.upstream.push = refuse  # type: ignore[method-assign] # a connection that is lost
        pair.tunnel.part()
        assert pair.client.heard() == [CLOSE]
        pair.upstream.arrive(ConnectionResetError())
        await pair.run
        assert pair.client.aborted


# The command, between a real client and a real server.


class Service:
    """A WebSocket server that keeps what it hears, and how each conversation ended."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.endings: list[tuple[int | None, str | None]] = []
        self.connections: list[ServerConnection] = []

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with suppress(ConnectionClosed):
            async for message in connection:
                self.heard.append(message)
                await connection.send(message)
        await connection.wait_closed()
        self.endings.append((connection.close_code, connection.close_reason))


@asynccontextmanager
async def between(directory: Path, *flags: str) -> AsyncIterator[tuple[Service, Running]]:
    service = Service()
    async with serve(service.serve, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        (directory / "corsproxy.yaml").write_text(
            f"upstream: http://127.0.0.1:{port}\ncors:\n  allow_origins: [{PAGE}]\n"
        )
        async with started(*FREE_PORTS, *flags, cwd=directory) as command:
            yield service, Running(command, await command.event("ready"))


@asynccontextmanager
async def talking(proxy: Running, **options: object) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{proxy.port}/chat"
    async with connect(url, origin=PAGE, max_size=None, **options) as client:  # type: ignore[arg-type] # the options are connect's own
        yield client


async def ends(client: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(20):
        await client.wait_closed()
    return client.close_code, client.close_reason


GOES_AWAY = (1001, "")


@pytest.mark.parametrize("flags", [(), ("--workers", "2")], ids=["one", "workers"])
async def test_a_stop_closes_every_websocket_with_1001(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    async with between(tmp_path, *flags) as (service, proxy):
        async with talking(proxy) as idle, talking(proxy, compression=None) as busy:
            await busy.send("hello")
            assert await busy.recv() == "hello"
            begun = time.monotonic()
            proxy.command.signal(signal.SIGTERM)
            assert await ends(idle) == await ends(busy) == GOES_AWAY
            await until(lambda: service.endings == [GOES_AWAY, GOES_AWAY])
            assert await proxy.command.exit_code() == 0
            assert time.monotonic() - begun < 5
        await proxy.command.event("stopped")
        requests = [each for each in proxy.command.events if each["event"] == "request"]
        assert [each["error"] for each in requests] == ["shutdown", "shutdown"]


async def test_a_message_of_many_frames_is_cut_by_a_clean_close(tmp_path: Path) -> None:
    async with between(tmp_path) as (service, proxy), talking(proxy) as client:
        sent = asyncio.Event()

        async def fragments() -> AsyncIterator[str]:
            yield "one, "
            proxy.command.signal(signal.SIGTERM)
            await sent.wait()
            yield "two"

        sending = asyncio.ensure_future(client.send(fragments()))
        assert await ends(client) == GOES_AWAY
        await until(lambda: service.endings == [GOES_AWAY])
        assert service.heard == []
        sent.set()
        with suppress(ConnectionClosed):
            await sending
        assert await proxy.command.exit_code() == 0


async def test_a_large_frame_that_is_on_its_way_arrives_whole(tmp_path: Path) -> None:
    large = bytes(range(256)) * 4 * 16_384  # 16 MiB, far more than sockets hold
    async with between(tmp_path) as (service, proxy), talking(proxy, compression=None) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        client.transport.pause_reading()
        sending = asyncio.ensure_future(service.connections[0].send(large))
        await asyncio.wait([sending], timeout=0.1)
        assert not sending.done()
        proxy.command.signal(signal.SIGTERM)
        await proxy.command.event("draining")
        client.transport.resume_reading()
        assert await client.recv() == large
        assert await ends(client) == GOES_AWAY
        await sending
        await until(lambda: service.endings == [GOES_AWAY])
        assert await proxy.command.exit_code() == 0


async def test_an_end_without_an_answer_is_let_go_after_the_grace(tmp_path: Path) -> None:
    async with (
        between(tmp_path, "--shutdown-grace", "300ms") as (service, proxy),
        talking(proxy) as client,
    ):
        await client.send("hello")
        assert await client.recv() == "hello"
        service.connections[0].transport.pause_reading()
        proxy.command.signal(signal.SIGTERM)
        assert await ends(client) == GOES_AWAY
        assert await proxy.command.exit_code() == 0
        service.connections[0].transport.resume_reading()
        await until(lambda: service.endings == [GOES_AWAY])


async def test_the_upstream_s_death_is_not_dressed_up(tmp_path: Path) -> None:
    async with between(tmp_path) as (service, proxy), talking(proxy) as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        service.connections[0].transport.abort()
        assert await ends(client) == (1006, "")
