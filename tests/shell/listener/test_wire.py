"""The line to a client: bounded, and ended so that everybody can tell how."""

import asyncio
import gc
import socket
import struct

import pytest

from corsproxy.core.policy import Limits
from corsproxy.shell.listener.faults import ClientLeftError
from corsproxy.shell.listener.http1_connection import Http1Connection
from tests.fakes import Client, CutShortError, FakeUpstream, Proxy, get, never, serving
from tests.peers import until
from tests.policies import policy


async def busy(proxy: Proxy) -> tuple[Client, Http1Connection]:
    """A client that waits for an answer, and its connection."""
    client = await proxy.connect()
    await client.send(get())
    await until(lambda: proxy.server.in_flight == 1)
    connection = proxy.connection
    return client, connection


async def test_the_client_is_known_by_its_address() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        _, connection = await busy(proxy)
        assert (connection.wire.client, connection.wire.secure) == ("127.0.0.1", False)


async def test_requests_without_a_client_address_are_not_forwarded() -> None:
    upstream = FakeUpstream()
    async with serving(upstream) as proxy:
        for _ in range(5):
            # While the event loop does not run: accepted by the kernel, and reset already.
            with socket.create_connection(("127.0.0.1", proxy.port)) as gone:
                gone.sendall(get())
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert (await proxy.ask(get())).status == 200
        await until(lambda: not proxy.server.in_flight)
        assert {tuple(asked.values(b"x-forwarded-for")) for asked in upstream.asked} == {
            (b"127.0.0.1",)
        }


async def test_an_abort_cannot_be_taken_for_an_end() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client, connection = await busy(proxy)
        connection.wire.send(b"something")
        connection.wire.abort("first cause")
        connection.wire.abort("second cause")
        with pytest.raises(CutShortError):
            await client.rest()
        assert connection.wire.ended_by == "first cause"


async def test_an_abort_without_a_reset_spares_what_has_arrived() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client, connection = await busy(proxy)
        connection.wire.send(b"something")
        connection.wire.abort(reset=False)
        assert await client.rest() == b"something"


async def test_a_connection_ended_in_stages_reads_on_until_the_client_closes() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client, connection = await busy(proxy)
        connection.wire.send(b"the answer")
        connection.wire.end_in_stages()
        await client.send(bytes(500_000))
        assert await client.rest() == b"the answer"
        assert proxy.server.connections
        await client.close()
        await until(lambda: not proxy.server.connections)


async def test_sending_after_the_end_raises() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        _, connection = await busy(proxy)
        connection.close()
        with pytest.raises(ClientLeftError):
            connection.wire.send(b"late")
        assert not connection.wire.write_eof()
        connection.wire.end_in_stages()
        await connection.wire.ended()
        connection.wire.abort()


async def test_waiting_for_a_client_that_leaves_ends() -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client = await proxy.connect(receive_buffer=4096)
        await client.send(get())
        await until(lambda: proxy.server.in_flight == 1)
        connection = proxy.connection
        connection.wire.send(bytes(20_000_000))
        waiting = asyncio.ensure_future(connection.wire.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        client.reset()
        with pytest.raises(ClientLeftError):
            await waiting


def connections_in_memory(proxy: Proxy) -> int:
    """Those of this proxy: what an earlier test has left may go at any moment."""
    gc.collect()
    alive = [each for each in gc.get_objects() if type(each) is Http1Connection]
    return sum(each.service is proxy.server.service for each in alive)


async def test_a_client_that_has_everything_is_not_stalled() -> None:
    """Its connection is closing in stages, and `limits.write_timeout` is over."""
    limits = Limits(write_timeout=0.05)
    async with serving(FakeUpstream(), policy(limits=limits)) as proxy:
        client = await proxy.connect()
        await client.send(b"garbage\r\n\r\n")
        assert (await client.reply()).status == 400
        connection = proxy.connection
        await until(lambda: connection.is_ending)
        looked: list[bool] = []
        proxy.server.loop.call_later(0.3, looked.append, True)
        await until(lambda: bool(looked))
        assert (connection.is_ending, connection.wire.ended_by) == (True, None)
        await client.close()


@pytest.mark.parametrize("leaves", ["closes", "resets"])
async def test_a_lost_connection_leaves_nothing_in_memory(leaves: str) -> None:
    async with serving(FakeUpstream(never)) as proxy:
        client, connection = await busy(proxy)
        del connection
        assert connections_in_memory(proxy) == 1
        if leaves == "resets":
            client.reset()
        await client.close()
        await until(lambda: connections_in_memory(proxy) == 0)
