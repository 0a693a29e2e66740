"""The lifetime of connections, exchanges and streams of an application."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from corsproxy.aiohttp import proxy_app
from corsproxy.shell.feed.records import ExchangeRecord
from tests import logins
from tests.aiohttp.embedded import PAGE, ask, connect, running
from tests.fakes import get
from tests.peers import DEADLINE_SECONDS, PeerConnection, RawPeer, answers, until


async def test_a_login_is_bound_to_its_clients_connection() -> None:
    async with RawPeer(logins.logs_in()) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            alice, bob = await connect(proxy.port), await connect(proxy.port)
            assert (await logins.log_in(alice, b"alice")).content == b"alice"
            assert (await logins.log_in(bob, b"bob")).content == b"bob"
            assert (await logins.ask(alice)).content == b"alice"
            assert (await logins.ask(bob)).content == b"bob"
            assert (await ask(proxy.port, get("/", origin=PAGE))).status == 401
            await alice.close()
            await until(lambda: any(each.writer.is_closing() for each in upstream.connections))
            assert (await logins.ask(bob)).content == b"bob"
            await bob.close()


async def test_a_cancelled_handler_cancels_the_upstream_at_once() -> None:
    records: list[ExchangeRecord] = []
    left = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none")
        await peer.closed()
        left.set()

    async with RawPeer(script) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        app = proxy_app(url, allow_origins=[PAGE], on_record=records.append)
        async with TestServer(app, handler_cancellation=True) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/", origin=PAGE))
            await client.head()
            client.reset()
            async with asyncio.timeout(DEADLINE_SECONDS):
                await left.wait()
            await until(lambda: bool(records))
    assert records[0].error == "client-left"


async def test_a_middleware_may_limit_the_response_time() -> None:
    records: list[ExchangeRecord] = []
    limits: list[asyncio.Timeout] = []
    left = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        limits[0].reschedule(0.0)
        await peer.closed()
        left.set()

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(None) as limit:
                limits.append(limit)
                return await handler(request)
        except TimeoutError:
            return web.Response(status=504, text="too late")

    async with RawPeer(script) as upstream:
        outer = web.Application(middlewares=[bounded])
        url = f"http://127.0.0.1:{upstream.port}"
        outer.add_subapp("/api", proxy_app(url, allow_origins=[PAGE], on_record=records.append))
        async with running(outer) as proxy:
            reply = await ask(proxy.port, get("/api", origin=PAGE))
            assert (reply.status, reply.content) == (504, b"too late")
            async with asyncio.timeout(DEADLINE_SECONDS):
                await left.wait()
            assert [record.error for record in records] == ["client-left"]


async def test_two_applications_share_nothing() -> None:
    first, second = (
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + digit) for digit in (b"1", b"2")
    )
    async with RawPeer(first) as one, RawPeer(second) as two:
        outer = web.Application()
        for name, peer, origin in (("one", one, PAGE), ("two", two, "http://two.example")):
            url = f"http://127.0.0.1:{peer.port}"
            outer.add_subapp(f"/{name}", proxy_app(url, allow_origins=[origin]))
        async with running(outer) as proxy:
            for _ in range(2):
                for path, content, origin in (
                    ("/one/x", b"1", PAGE),
                    ("/two/x", b"2", "http://two.example"),
                ):
                    reply = await ask(proxy.port, get(path, origin=origin))
                    assert (reply.content, reply.grant) == (content, origin)
            assert (await ask(proxy.port, get("/two/x", origin=PAGE))).status == 403


async def test_a_shutdown_is_recorded_as_the_cause() -> None:
    records: list[ExchangeRecord] = []
    asked = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        asked.set()
        await peer.closed()

    async with RawPeer(script) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        app = proxy_app(url, allow_origins=[PAGE], on_record=records.append)
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = await connect(runner.addresses[0][1])
        await client.send(get("/", origin=PAGE))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asked.wait()
            await runner.cleanup()
        await until(lambda: bool(records))
        await client.close()
    assert records[0].error == "shutdown"
