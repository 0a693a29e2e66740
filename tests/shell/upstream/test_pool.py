"""shell/upstream/pool.py: which connection a request goes out on, and how often."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from corsproxy.core.policy import Limits, Timeouts
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.pool import UpstreamPools
from corsproxy.shell.upstream.resolver import AddressInfo, Resolver
from tests.exchanges import Body, ask, content, fetch, make_request, make_route, make_upload
from tests.peers import PeerConnection, RawPeer, Script, answers, sends_and_closes, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


# Reuse.


async def test_requests_one_after_another_share_a_connection(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        route = make_route(peer.port)
        assert await fetch(pools, route, [b"/1", b"/2", b"/3"]) == [b"ok"] * 3
        assert len(peer.connections) == 1
        assert pools.figures()[0].connects == 1


async def test_requests_at_once_have_connections_of_their_own(pools: UpstreamPools) -> None:
    together = asyncio.Barrier(5)

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await together.wait()
        await peer.send(OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        responses = await asyncio.gather(*(ask(pools, route) for _ in range(5)))
        assert [await content(response) for response in responses] == [b"ok"] * 5
        assert len(peer.connections) == 5
        figures = pools.figures()[0]
        assert (figures.open, figures.idle, figures.in_flight) == (5, 5, 0)
        await pools.close()


async def test_a_connection_is_reused_before_what_it_brought_is_taken(
    pools: UpstreamPools,
) -> None:
    rest = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 14000\r\n\r\n" + b"x" * 8_000)
        await rest.wait()
        await peer.send(b"x" * 6_000)
        await answers(OK)(peer)

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        first = await ask(pools, route)
        rest.set()
        await until(lambda: pools.figures()[0].idle == 1)
        assert await fetch(pools, route, [b"/"]) == [b"ok"]
        assert len(peer.connections) == 1
        assert len(await content(first)) == 14_000


async def test_the_connection_used_last_is_reused_first(pools: UpstreamPools) -> None:
    turns = [asyncio.Event(), asyncio.Event()]

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await turns[peer.number].wait()
        await peer.send(OK)
        await answers(OK)(peer)

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        first = asyncio.ensure_future(ask(pools, route))
        await until(lambda: len(peer.heads) == 1)
        second = asyncio.ensure_future(ask(pools, route))
        await until(lambda: len(peer.heads) == 2)
        turns[1].set()
        await second
        turns[0].set()
        await first
        await fetch(pools, route, [b"/again"])
        assert [len(connection.heads) for connection in peer.connections] == [2, 1]


@pytest.mark.parametrize(
    "reply",
    [
        CLOSING,
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=0\r\n\r\nok",
    ],
)
async def test_a_connection_that_is_not_kept_is_not_reused(
    pools: UpstreamPools, reply: bytes
) -> None:
    async with RawPeer(answers(reply)) as peer:
        assert await fetch(pools, make_route(peer.port), [b"/1", b"/2"]) == [b"ok"] * 2
        assert [len(connection.heads) for connection in peer.connections] == [1, 1]


@pytest.mark.parametrize(
    ("field", "limit"), [(b"", 0.1), (b"Keep-Alive: timeout=2\r\n", 30.0)], ids=["ours", "theirs"]
)
async def test_an_idle_connection_is_closed_in_time(
    pools: UpstreamPools, field: bytes, limit: float
) -> None:
    reply = b"HTTP/1.1 200 OK\r\n" + field + b"Content-Length: 2\r\n\r\nok"
    async with RawPeer(answers(reply)) as peer:
        response = await ask(pools, make_route(peer.port), limits=Limits(upstream_keepalive=limit))
        assert await content(response) == b"ok"
        async with asyncio.timeout(20):
            await until(lambda: pools.figures()[0].open == 0)
        await until(peer.connections[0].reader.at_eof)


async def test_routes_share_connections_where_address_and_tls_are_equal(
    pools: UpstreamPools,
) -> None:
    async with RawPeer(answers(OK)) as peer:
        for _ in range(3):
            await fetch(pools, make_route(peer.port), [b"/"])
        assert len(peer.connections) == 1
        assert len(pools.figures()) == 1


async def test_many_reloads_do_not_pile_up_routes(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        for _ in range(600):
            await fetch(pools, make_route(peer.port), [b"/"])
        assert len(peer.connections) == 1


# Requests that meet a connection which the upstream has closed.


def dies_on_second_request(before: bytes = b"", *, by_reset: bool = False) -> Script:
    """The first connection answers once and, asked again, sends `before` and dies."""

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(OK)
        if peer.number == 0:
            await peer.head()
            await peer.send(before)
            if by_reset:
                await peer.reset()
            return
        await answers(OK)(peer)

    return script


@pytest.mark.parametrize("by_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_a_repeatable_request_is_sent_again_on_a_new_connection(
    pools: UpstreamPools, method: str, by_reset: bool
) -> None:
    async with RawPeer(dies_on_second_request(by_reset=by_reset)) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/1"])
        response = await ask(pools, route, make_request(method, b"/2"))
        assert response.head.status == 200
        response.abort()
        assert [len(connection.heads) for connection in peer.connections] == [2, 1]
        assert pools.figures()[0].retries == 1


async def test_the_second_attempt_meets_no_other_old_connection(pools: UpstreamPools) -> None:
    """An upstream that restarts kills them all at once."""
    together = asyncio.Barrier(2)

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        if peer.number < 2:
            await together.wait()
            await peer.send(OK)
            await peer.head()
        else:
            await peer.send(OK)
            await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        await asyncio.gather(fetch(pools, route, [b"/1"]), fetch(pools, route, [b"/2"]))
        assert pools.figures()[0].idle == 2
        assert await fetch(pools, route, [b"/3"]) == [b"ok"]
        assert [len(connection.heads) for connection in peer.connections] in (
            [2, 1, 1],
            [1, 2, 1],
        )
        await pools.close()


@pytest.mark.parametrize("by_reset", [False, True], ids=["FIN", "RST"])
async def test_a_request_that_is_not_repeatable_is_sent_once(
    pools: UpstreamPools, by_reset: bool
) -> None:
    async with RawPeer(dies_on_second_request(by_reset=by_reset)) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/1"])
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, route, make_request("POST", b"/2"))
        assert caught.value.fault is UpstreamFault.CLOSED
        assert len(peer.heads) == 2
        assert pools.figures()[0].retries == 0


@pytest.mark.parametrize("before", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_nothing_is_sent_again_after_a_byte_of_the_answer(
    pools: UpstreamPools, before: bytes
) -> None:
    async with RawPeer(dies_on_second_request(before)) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/1"])
        with pytest.raises(UpstreamError):
            await ask(pools, route)
        assert len(peer.heads) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_sent_again_after_a_new_connection_died(
    pools: UpstreamPools, method: str
) -> None:
    async with RawPeer(sends_and_closes(b"")) as peer:
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, make_route(peer.port), make_request(method))
        assert caught.value.fault is UpstreamFault.CLOSED
        assert len(peer.heads) == 1


async def test_the_second_attempt_is_the_last(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        if peer.number == 0:
            await peer.send(OK)
            await peer.head()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/1"])
        with pytest.raises(UpstreamError):
            await ask(pools, route)
        assert [len(connection.heads) for connection in peer.connections] == [2, 1]


async def test_a_timeout_is_not_retried(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port, timeouts=Timeouts(response=0.3))
        await fetch(pools, route, [b"/1"])
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, route)
        assert caught.value.fault is UpstreamFault.RESPONSE_TIMEOUT
        assert len(peer.heads) == 2


async def test_requests_survive_an_upstream_that_closes_after_each_answer(
    pools: UpstreamPools,
) -> None:
    """It announces nothing, so each new request may meet the closing."""
    async with RawPeer(sends_and_closes(OK)) as peer:
        route = make_route(peer.port)
        for number in range(100):
            assert await fetch(pools, route, [b"/%d" % number]) == [b"ok"]
        assert len(peer.heads) == 100


async def test_an_unrepeatable_request_gets_no_long_idle_connection(
    pools: UpstreamPools,
) -> None:
    async with RawPeer(answers(OK)) as peer:
        route = make_route(peer.port)
        post = make_request("POST")
        await content(await ask(pools, route, post))
        await content(await ask(pools, route, post))
        assert len(peer.connections) == 1
        asleep = asyncio.Event()
        asyncio.get_running_loop().call_later(1.1, asleep.set)
        await asleep.wait()
        await content(await ask(pools, route, post))
        assert len(peer.connections) == 2
        # The old one is still good for what can be repeated, and the new one is first.
        await fetch(pools, route, [b"/"])
        assert [len(connection.heads) for connection in peer.connections] == [2, 2]


# Limits.


async def test_requests_above_the_limit_wait(pools: UpstreamPools) -> None:
    gate = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        while True:
            await peer.head()
            await gate.wait()
            await peer.send(OK)

    limits = Limits(in_flight=2)
    async with RawPeer(script) as peer:
        route = make_route(peer.port)

        async def one(number: int) -> int:
            request = make_request("GET", b"/%d" % number)
            assert await content(await ask(pools, route, request, limits=limits)) == b"ok"
            return number

        asking = [asyncio.ensure_future(one(number)) for number in range(6)]
        await until(lambda: len(peer.heads) == 2)
        assert (pools.figures()[0].in_flight, pools.figures()[0].waiting) == (2, 4)
        gate.set()
        assert await asyncio.gather(*asking) == list(range(6))
        assert len(peer.connections) == 2
        assert pools.figures()[0].waiting == 0


async def test_waiting_is_limited(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.closed()

    limits = Limits(in_flight=1, queue_timeout=0.05)
    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        first = asyncio.ensure_future(ask(pools, route, limits=limits))
        await until(lambda: len(peer.heads) == 1)
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, route, limits=limits)
        assert caught.value.fault is UpstreamFault.BUSY
        assert "limits.in_flight" in caught.value.detail
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_every_way_to_end_gives_the_turn_back(pools: UpstreamPools) -> None:
    replies = [
        OK,
        CLOSING,
        b"",
        b"garbage",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nextra",
    ]

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(replies[peer.number])

    limits = Limits(in_flight=1, queue_timeout=1)
    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        faults = []
        for _ in replies:
            try:
                response = await ask(
                    pools, route, make_request("POST", upgrade=True), limits=limits
                )
                await response.read()
                response.abort()
            except UpstreamError as error:
                faults.append(error.fault)
            await until(lambda: pools.figures()[0].open == 0)
        assert faults == [UpstreamFault.CLOSED, UpstreamFault.MALFORMED]
        assert len(peer.connections) == len(replies)


async def test_a_body_that_fails_at_once_gives_the_turn_back(pools: UpstreamPools) -> None:
    class Failing(Body):
        def take(self) -> bytes:
            raise ConnectionAbortedError

    async with RawPeer(answers(OK)) as peer:
        with pytest.raises(ConnectionAbortedError):
            await ask(pools, make_route(peer.port), make_upload(3), Failing())
        assert pools.figures()[0].in_flight == 0


async def test_a_request_that_cannot_be_written_costs_its_connection(
    pools: UpstreamPools,
) -> None:
    async with RawPeer(answers(OK)) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/"])
        with pytest.raises(ValueError, match="white space"):
            await ask(pools, route, make_request("GET", b"/\r\nX-Evil: 1"))
        assert pools.figures()[0].in_flight == 0
        await until(lambda: pools.figures()[0].open == 0)
        assert len(peer.heads) == 1


# The end.


async def test_closing_closes_the_idle_and_then_the_others(pools: UpstreamPools) -> None:
    gate = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        if peer.number == 0:
            await gate.wait()
        await peer.send(OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        slow = asyncio.ensure_future(ask(pools, route))
        await until(lambda: len(peer.heads) == 1)
        await fetch(pools, route, [b"/"])
        assert pools.figures()[0].idle == 1
        await pools.close()
        figures = pools.figures()[0]
        assert (figures.open, figures.idle, figures.in_flight) == (1, 0, 1)
        gate.set()
        assert await content(await slow) == b"ok"
        await until(lambda: pools.figures()[0].open == 0)


async def test_figures_name_the_upstream(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        await fetch(pools, make_route(peer.port), [b"/"])
        figures = pools.figures()[0]
        assert figures == (f"http://127.0.0.1:{peer.port}", 1, 1, 0, 0, 1, 0, 0)


# Several addresses.


class Names:
    """A system resolver whose answers a test changes."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = list(hosts)

    async def look_up(self, host: str, port: int) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in self.hosts]


@asynccontextmanager
async def servers(*hosts: str) -> AsyncIterator[list[RawPeer]]:
    """Servers on one port of several loopback addresses; each answers with its own."""
    async with AsyncExitStack() as stack:
        port, peers = 0, []
        for host in hosts:
            reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(host)}\r\n\r\n{host}".encode()
            peer = RawPeer(answers(reply), host=host, port=port)
            peers.append(await stack.enter_async_context(peer))
            port = peer.port
        yield peers


@asynccontextmanager
async def named(names: Names, ttl: float = 10.0) -> AsyncIterator[UpstreamPools]:
    pools = UpstreamPools(Dialer(resolver=Resolver(ttl, names.look_up)))
    try:
        yield pools
    finally:
        await pools.close()
        await until(lambda: all(pool.open == 0 for pool in pools.figures()))


THREE = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


async def test_requests_go_to_each_address_in_turn() -> None:
    async with servers(*THREE) as peers, named(Names(*THREE)) as pools:
        route = make_route(peers[0].port, host="api.test")
        found = [(await fetch(pools, route, [b"/"]))[0].decode() for _ in range(30)]
        assert [found.count(host) for host in THREE] == [10, 10, 10]
        assert [len(peer.connections) for peer in peers] == [1, 1, 1]


async def test_new_connections_go_to_each_address_in_turn() -> None:
    async with servers(*THREE) as peers, named(Names(*THREE)) as pools:
        route = make_route(peers[0].port, host="api.test")
        responses = await asyncio.gather(*(ask(pools, route) for _ in range(30)))
        found = [(await content(response)).decode() for response in responses]
        assert [found.count(host) for host in THREE] == [10, 10, 10]


async def test_an_address_that_is_down_costs_nothing_but_its_turn() -> None:
    up = THREE[:2]
    async with servers(*up) as peers, named(Names(*THREE)) as pools:
        route = make_route(peers[0].port, host="api.test")
        found = [(await fetch(pools, route, [b"/"]))[0].decode() for _ in range(20)]
        assert all(abs(found.count(host) - 10) <= 1 for host in up)
        assert pools.figures()[0].failed_connects == 0


async def test_a_name_that_moves_is_followed_under_traffic() -> None:
    names = Names(THREE[0])
    limits = Limits(upstream_max_age=0.0)
    async with servers(*THREE[:2]) as peers, named(names, ttl=0.0) as pools:
        route = make_route(peers[0].port, host="api.test")
        names.hosts = [THREE[0]]
        assert await content(await ask(pools, route, limits=limits)) == THREE[0].encode()
        names.hosts = [THREE[1]]
        async with asyncio.timeout(20):
            while not peers[1].heads:
                await content(await ask(pools, route, limits=limits))
        old = len(peers[0].heads)
        for _ in range(5):
            assert await content(await ask(pools, route, limits=limits)) == THREE[1].encode()
        assert len(peers[0].heads) == old


async def test_a_connection_may_be_used_for_a_while_when_its_name_has_moved() -> None:
    """Many names resolve to another few of many addresses each time."""
    names = Names(THREE[0])
    async with servers(*THREE[:2]) as peers, named(names, ttl=0.0) as pools:
        route = make_route(peers[0].port, host="api.test")
        await fetch(pools, route, [b"/"])
        names.hosts = [THREE[1]]
        found = {(await fetch(pools, route, [b"/"]))[0].decode() for _ in range(10)}
        assert found == {THREE[0]}
        assert len(peers[0].connections) == 1
