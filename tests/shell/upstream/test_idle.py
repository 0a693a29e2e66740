"""shell/upstream/idle.py: which idle connection is used, and for how long."""

import asyncio
import socket

from corsproxy.core.policy import Limits
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.pool import UpstreamPools
from corsproxy.shell.upstream.resolver import AddressInfo, Resolver
from tests.exchanges import content, make_request, make_route
from tests.logins import logs_in
from tests.peers import RawPeer, until


async def test_a_login_does_not_outlive_the_address_for_long() -> None:
    """A bound connection, too, is given up when its name has moved: one logs in again."""
    hosts = ["127.0.0.1"]

    async def look_up(host: str, port: int) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]

    pools = UpstreamPools(Dialer(resolver=Resolver(0.0, look_up)))
    reply = b""
    alice, limits = Bond(), Limits(upstream_max_age=0.0)
    async with (
        RawPeer(logs_in()) as old,
        RawPeer(logs_in(), host="127.0.0.2", port=old.port) as new,
    ):
        route = make_route(old.port, host="api.test")
        for step in (b"TYPE1 alice", b"TYPE3 alice"):
            request = make_request("GET", b"/", (b"Authorization", b"NTLM " + step))
            reply = await content(await pools.send(route, request, None, limits, alice))
        assert reply == b"alice"
        hosts[:] = ["127.0.0.2"]
        async with asyncio.timeout(20):
            while not new.heads:
                reply = await content(await pools.send(route, make_request(), None, limits, alice))
        assert reply == b""
        alice.end()
        await pools.close()
        await until(lambda: pools.figures()[0].open == 0)
