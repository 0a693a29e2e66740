"""shell/upstream/bond.py: connections that belong to one client."""

import asyncio

from corsproxy.core.messages import UpstreamRequest
from corsproxy.core.policy import Limits, Route
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.exchanges import LIMITS, content, make_request, make_route
from tests.logins import logs_in
from tests.peers import RawPeer, until


def message(step: bytes) -> UpstreamRequest:
    field = (b"Authorization", b"NTLM " + step)
    plain = make_request("GET", b"/", field)
    return UpstreamRequest(
        "GET",
        b"/",
        plain.fields,
        plain.framing,
        repeatable=True,
        authenticates_connection=True,
    )


async def ask(
    pools: UpstreamPools,
    route: Route,
    bond: Bond | None,
    request: UpstreamRequest | None = None,
    limits: Limits = LIMITS,
) -> bytes:
    response = await pools.send(route, request or make_request(), None, limits, bond)
    return await content(response)


async def log_in(pools: UpstreamPools, route: Route, bond: Bond | None, user: bytes) -> bytes:
    await ask(pools, route, bond, message(b"TYPE1 " + user))
    return await ask(pools, route, bond, message(b"TYPE3 " + user))


async def test_a_bound_connection_serves_only_its_client(pools: UpstreamPools) -> None:
    async with RawPeer(logs_in()) as peer:
        route, alice, bob = make_route(peer.port), Bond(), Bond()
        assert await log_in(pools, route, alice, b"alice") == b"alice"
        for other in (bob, None):
            assert await ask(pools, route, other) == b""
        assert await ask(pools, route, alice) == b"alice"
        assert pools.figures()[0].idle == 2  # alice's, and the one that was offered to bob
        alice.end()
        bob.end()
        await until(lambda: pools.figures()[0].open == 0)
        assert pools.figures()[0].idle == 0


async def test_without_a_client_it_is_used_once(pools: UpstreamPools) -> None:
    async with RawPeer(logs_in()) as peer:
        route = make_route(peer.port)
        assert await log_in(pools, route, None, b"alice") == b""
        assert len(peer.connections) == 2


async def test_a_client_that_asks_twice_at_once_gets_a_second_one(pools: UpstreamPools) -> None:
    """As over HTTP/2: it may have to log in there, too, but nobody waits."""
    async with RawPeer(logs_in()) as peer:
        route, alice = make_route(peer.port), Bond()
        await log_in(pools, route, alice, b"alice")
        first = await pools.send(route, make_request(), None, LIMITS, alice)
        got = await asyncio.gather(
            ask(pools, route, alice, message(b"TYPE1 alice")),
            ask(pools, route, alice, message(b"TYPE1 alice")),
        )
        assert list(got) == [b"", b""]
        assert await content(first) == b"alice"
        assert len(peer.connections) == 2
        alice.end()


async def test_a_connection_is_not_kept_after_its_client_has_left(pools: UpstreamPools) -> None:
    async with RawPeer(logs_in()) as peer:
        route, alice = make_route(peer.port), Bond()
        response = pools.send(route, message(b"TYPE1 alice"), None, LIMITS, alice)
        asking = asyncio.ensure_future(response)
        await until(lambda: bool(peer.heads))
        alice.end()
        await content(await asking)
        await until(lambda: pools.figures()[0].open == 0)


async def test_it_is_used_however_long_it_has_been_idle(pools: UpstreamPools) -> None:
    """A fresh connection is surer to be open, and nobody has logged in on it."""
    async with RawPeer(logs_in()) as peer:
        route, alice = make_route(peer.port), Bond()
        await log_in(pools, route, alice, b"alice")
        await asyncio.sleep(1.05)  # the bound is a second of the loop's own clock
        request = make_request("POST", repeatable=False)
        assert await ask(pools, route, alice, request) == b"alice"
        alice.end()


async def test_one_that_the_upstream_has_closed_gives_way_to_another(
    pools: UpstreamPools,
) -> None:
    async with RawPeer(logs_in()) as peer:
        route, alice = make_route(peer.port), Bond()
        await log_in(pools, route, alice, b"alice")
        peer.connections[0].writer.close()
        await until(lambda: pools.figures()[0].open == 0)
        assert await ask(pools, route, alice) == b""
        alice.end()
