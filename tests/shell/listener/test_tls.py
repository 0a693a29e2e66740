"""TLS under HTTP/1.1: what its clients see, down to how a connection ends."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from trustme import CA

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.shell.streams.piece import PIECE_SIZE
from tests.certificates import contexts
from tests.fakes import (
    Asked,
    Client,
    FakeResponse,
    FakeUpstream,
    Proxy,
    echo,
    get,
    never,
    post,
    replying,
    serving,
)
from tests.peers import until
from tests.policies import PAGE, policy

LARGE = 4 * 1024 * 1024
T = TypeVar("T")


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return contexts(CA(), "http/1.1")


@pytest.fixture
async def proxy(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Proxy]:
    async with serving(FakeUpstream(echo), policy(), tls) as proxy:
        yield proxy


@pytest.fixture
async def impatient(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Proxy]:
    async with serving(FakeUpstream(), policy(limits=Limits(head_timeout=0.3)), tls) as proxy:
        yield proxy


async def aside(work: Callable[[], T]) -> T:
    """Do what blocks: the clients of asyncio hide how a connection ends."""
    return await asyncio.to_thread(work)


def connect(proxy: Proxy) -> ssl.SSLSocket:
    assert proxy.trusting is not None
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    return proxy.trusting.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def everything(client: ssl.SSLSocket) -> bytes:
    """Read until close_notify. Raises OSError where the connection is cut."""
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


async def test_a_request_is_answered_and_another_follows(proxy: Proxy) -> None:
    client = await proxy.connect()
    for _ in range(3):
        await client.send(get())
        reply = await client.reply()
        assert (reply.status, reply.grant) == (200, PAGE)


async def test_content_arrives_as_it_was_sent(proxy: Proxy) -> None:
    content = bytes(range(256)) * (LARGE // 256)
    client = await proxy.connect()
    sending = asyncio.create_task(client.send(post(content)))
    assert (await client.reply()).content == content
    await sending


async def test_the_upstream_is_told_of_https(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    cookie = (b"Set-Cookie", b"id=1; SameSite=None; Secure")
    upstream = FakeUpstream(replying(FakeResponse(fields=[cookie])))
    async with serving(upstream, policy(), tls) as proxy:
        reply = await proxy.ask(get(origin="https://localhost"))
        assert "Secure" in (reply.value("Set-Cookie") or "")


async def test_a_handshake_that_does_not_begin_is_ended(impatient: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


async def test_a_handshake_sent_byte_by_byte_times_out(impatient: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    # The head of a record that is 512 bytes long.
    writer.write(b"\x16\x03\x01\x02\x00")
    with suppress(ConnectionError):
        while not reader.at_eof():
            writer.write(b"\x01")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
    writer.close()
    assert not impatient.server.connections


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_plain_http_on_an_https_port_is_told_so_readably(proxy: Proxy, method: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    client = Client(reader, writer)
    await client.send(get("/", method=method, origin=PAGE))
    reply = await client.reply()
    assert (reply.status, reply.grant) == (400, PAGE)
    assert b"This port speaks https" in reply.content
    assert await client.rest() == b""
    await client.close()


@pytest.mark.parametrize("data", [b"\x00" * 100, b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05hello"])
async def test_a_connection_that_is_not_tls_ends_alone(proxy: Proxy, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(data)
    with suppress(ConnectionError):
        await reader.read()
    writer.close()
    assert (await proxy.ask(get())).status == 200


async def test_the_last_answer_ends_in_words(proxy: Proxy) -> None:
    def ask() -> bytes:
        with connect(proxy) as client:
            client.sendall(get("/", "Connection: close"))
            return everything(client)

    assert (await aside(ask)).endswith(b"\r\n\r\n")


async def test_what_is_cut_has_no_end(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    response = FakeResponse(b"half", framing=Framing.CLOSE, ended=False)
    async with serving(FakeUpstream(replying(response)), policy(), tls) as proxy:

        def ask() -> bytes:
            with connect(proxy) as client:
                client.sendall(get().replace(b"HTTP/1.1", b"HTTP/1.0"))
                while b"half" not in client.recv(65536):
                    pass
                response.fail(ConnectionResetError())
                return everything(client)

        with pytest.raises(OSError, match=r"EOF|reset"):
            await aside(ask)


@pytest.mark.parametrize("behind", [b"x" * LARGE, get() * 5000], ids=["content", "requests"])
async def test_an_early_answer_arrives(proxy: Proxy, behind: bytes) -> None:
    """Also where the client goes on sending long after it, and reads only then."""
    first = get("/", "Content-Length: 100000000", "Connection: close", method="POST")
    proxy.server.policy = policy(limits=Limits(body=1000))

    def ask() -> bytes:
        with connect(proxy) as client:
            client.sendall(first)
            with suppress(OSError):
                client.sendall(behind)
            return client.recv(65536)

    for _ in range(5):
        assert (await aside(ask)).startswith(b"HTTP/1.1 413 ")


async def test_a_tunnel_ends_one_way_at_a_time(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    response = FakeResponse(
        status=101, fields=[(b"Upgrade", b"x")], framing=Framing.NONE, reason=b"Switching Protocols"
    )
    async with serving(FakeUpstream(replying(response)), policy(), tls) as proxy:
        stream = response.stream

        def ask() -> bytes:
            with connect(proxy) as client:
                client.sendall(get("/", "Connection: upgrade", "Upgrade: x"))
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                proxy.server.loop.call_soon_threadsafe(stream.to_client.put_nowait, b"")
                assert client.recv(10) == b""
                client.sendall(b"more")
                with suppress(ssl.SSLError):
                    client.unwrap()
                return b""

        await aside(ask)
        await until(lambda: stream.client_ended)
        assert stream.from_client == b"more"


async def test_a_client_that_does_not_read_holds_the_upstream_still(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    response = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    async with serving(FakeUpstream(replying(response)), policy(), tls) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get())
        pieces = 0

        def is_held() -> bool:
            nonlocal pieces
            if not response.untaken:
                response.put(b"x" * PIECE_SIZE)
                pieces += 1
            return bool(proxy.server.in_flight) and proxy.connection.wire.is_writing_paused

        await until(is_held)
        response.end()
        await client.head()
        assert len(await client.rest_of_chunks()) == pieces * PIECE_SIZE


async def test_there_is_room_for_so_many_handshakes(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(FakeUpstream(), policy(limits=Limits(connections=4)), tls) as proxy:
        opened = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(12)]
        ended = [asyncio.create_task(reader.read()) for reader, _ in opened]
        await until(lambda: sum(each.done() for each in ended) == 6)
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*ended, return_exceptions=True)
        await until(lambda: not proxy.server.handshakes)
        assert (await proxy.ask(get())).status == 200


async def test_a_stop_answers_what_is_in_flight(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async def later(asked: Asked) -> FakeResponse:
        await stopping.wait()
        return FakeResponse()

    stopping = asyncio.Event()
    upstream = FakeUpstream(later)
    async with serving(upstream, policy(), tls) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        draining = asyncio.create_task(proxy.server.drain(5.0))
        await until(lambda: proxy.server.draining)
        stopping.set()
        reply = await client.reply()
        assert (reply.status, reply.value("Connection")) == (200, "close")
        await client.close()
        await draining


async def test_a_client_that_leaves_cancels_its_request(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    upstream = FakeUpstream(never)
    async with serving(upstream, policy(), tls) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: bool(upstream.asked))
        await client.close()
        await until(lambda: upstream.asked[0].cancelled)
