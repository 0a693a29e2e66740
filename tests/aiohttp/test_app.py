"""The proxy as an aiohttp application, tested like the listener."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from corsproxy import ConfigError, errors
from corsproxy.aiohttp import proxy_app
from corsproxy.config.reader import read_policy
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.aiohttp.embedded import EVIL, PAGE, ask, connect, running
from tests.fakes import Client, Reply, get, post, serving
from tests.peers import RawPeer, answers, until


async def echo(request: web.Request) -> web.Response:
    """What came, as JSON; with CORS fields of its own, which must not pass."""
    told = {
        "method": request.method,
        "target": request.raw_path,
        "fields": [[name.decode(), value.decode()] for name, value in request.raw_headers],
        "content": (await request.read()).decode(),
    }
    headers = {"Access-Control-Allow-Origin": "*", "X-Own": "1", "Set-Cookie": "a=1; Path=/echo"}
    return web.json_response(told, headers=headers)


async def moved(request: web.Request) -> web.Response:
    host = request.headers["Host"]
    return web.Response(status=302, headers={"Location": f"http://{host}/echo"})


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: one\n\n")
    ended = request.app[ENDED]
    try:
        while True:
            await asyncio.sleep(0.05)
            await response.write(b": still here\n\n")
    finally:
        ended.set()


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"not all")
    assert request.transport is not None
    request.transport.abort()
    return response


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data == "end":
            await socket.close(code=4001, message=b"as asked")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    request.app[CLOSED].append(socket.close_code)
    return socket


ENDED = web.AppKey("ended", asyncio.Event)
CLOSED = web.AppKey("closed", list[int | None])


class Upstream(NamedTuple):
    """A running API."""

    port: int | None
    app: web.Application


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    app = web.Application()
    app[ENDED] = asyncio.Event()
    app[CLOSED] = []
    app.router.add_get("/events", events)
    app.router.add_get("/cut", cut)
    app.router.add_get("/moved", moved)
    app.router.add_get("/chat", chat)
    app.router.add_route("*", "/{path:.*}", echo)
    async with TestServer(app, handler_cancellation=True) as server:
        yield Upstream(server.port, app)


_WEBSOCKET = ("Connection: upgrade", "Upgrade: websocket")


def preflight(origin: str, method: str, *names: str) -> bytes:
    asked = [f"Access-Control-Request-Method: {method}"]
    if names:
        asked.append(f"Access-Control-Request-Headers: {','.join(names)}")
    return get("/echo", *asked, method="OPTIONS", origin=origin)


CASES = {
    "a listed origin": get("/echo", origin=PAGE),
    "no origin": get("/echo", origin=None),
    "an unlisted origin": get("/echo", origin=EVIL),
    "a null origin": get("/echo", origin="null"),
    "two origins": get("/echo", f"Origin: {EVIL}", origin=PAGE),
    "content": post(b"content", "/echo"),
    "chunked content": get("/echo", "Transfer-Encoding: chunked", method="POST")
    + b"4\r\nfour\r\n0\r\n\r\n",
    "a length with zeros": get("/echo", "Content-Length: 004", method="POST") + b"four",
    "HEAD": get("/echo", origin=PAGE, method="HEAD"),
    "DELETE": get("/echo", method="DELETE"),
    "OPTIONS that is no preflight": get("/echo", method="OPTIONS"),
    "a preflight": preflight(PAGE, "PUT", "content-type"),
    "a preflight of an unlisted origin": preflight(EVIL, "PUT"),
    "a preflight with a method that is not allowed": preflight(PAGE, "PURGE"),
    "a preflight with a field that is not allowed": preflight(PAGE, "GET", "x-other", "x-more"),
    "a host that is not allowed": get("/echo").replace(b"localhost\r\n", b"evil.example\r\n", 1),
    "an ambiguous path": get("/priv%61te/echo"),
    "a path of another route": get("/private/echo"),
    "a link": get("/moved"),
    "an upgrade to something else": get("/echo", "Connection: upgrade", "Upgrade: other"),
    "an upgrade with content": post(b"content", "/echo", *_WEBSOCKET),
    "an upgrade with chunked content": get(
        "/echo", *_WEBSOCKET, "Transfer-Encoding: chunked", method="POST"
    ) + b"4\r\nfour\r\n0\r\n\r\n",
    "a GET for an upgrade with content": get("/echo", *_WEBSOCKET, "Content-Length: 4") + b"four",
    "an upgrade by HEAD": get("/echo", *_WEBSOCKET, method="HEAD"),
    "an upgrade without Connection": get("/echo", "Upgrade: websocket"),
    "a foreign websocket": get("/chat", *_WEBSOCKET, origin=EVIL),
    "a field twice": get("/echo", "X-Two: 1", "X-Two: 2"),
    "a cut response": get("/cut"),
}  # fmt: skip


def text(port: int | None) -> str:
    return f"""\
routes:
  - path: /
    upstream: http://localhost:{port}
    cors: {{allow_origins: ["{PAGE}"], allow_credentials: true, max_age: 5}}
  - path: /private
    upstream: http://localhost:{port}
    cors: {{allow_origins: ["https://private.example"]}}
"""


def seen(reply: Reply) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What a page and its browser see: without what changes from one call to the next."""
    fields = sorted(
        (name.lower(), value)
        for name, value in reply.fields
        if name.lower() not in (b"date", b"connection", b"transfer-encoding", b"content-length")
    )
    content = reply.content
    if content.startswith(b'{"method"'):
        told = json.loads(content)
        told["fields"] = sorted(
            [name.lower(), value]
            for name, value in told["fields"]
            # An upgrade that aiohttp cannot carry is not asked for.
            if name.lower() not in ("connection", "upgrade")
        )
        content = json.dumps(told).encode()
    return reply.status, fields, content


async def through_the_listener(config: str, requests: Sequence[bytes]) -> list[object]:
    pools = UpstreamPools(Dialer())
    policy = read_policy(config, "corsproxy.yaml", {}, "/").policy
    async with serving(pools, policy) as proxy:
        found = [await outcome(proxy.port, each) for each in requests]
        # Before it looks whether something is left: a connection to the upstream is.
        await pools.close()
    return found


async def outcome(port: int | None, data: bytes) -> object:
    method = data.split(b" ")[0].decode()
    try:
        return seen(await ask(port, data, method))
    except Exception as error:  # noqa: BLE001 - of the two, the kind is compared
        return type(error).__name__


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (get("/", f"X-Long: {'x' * 20_000}"), 200),
        (get("/", f"X-Long: {'x' * 33_000}"), 431),
        (get(f"/{'x' * 9000}"), 414),
    ],
    ids=["field", "field over the limit", "target over the limit"],
)
async def test_sizes_of_heads_have_the_same_limits(request_head: bytes, status: int) -> None:
    async with RawPeer(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        app = proxy_app(f"http://127.0.0.1:{server.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            reply = await ask(proxy.port, request_head)
            assert (reply.status, reply.grant) == (status, PAGE)


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/0.9"])
async def test_other_versions_are_refused(version: str) -> None:
    async with upstream() as server:
        app = proxy_app(f"http://localhost:{server.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = await connect(proxy.port)
            await client.send(get("/").replace(b"HTTP/1.1", version.encode()))
            assert b" 505 " in await client.head()
            await client.close()


async def test_the_same_cases_come_out_as_through_the_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # so that hints name the file in the same way
    async with upstream() as server:
        config = tmp_path / "corsproxy.yaml"
        config.write_text(text(server.port))
        expected = await through_the_listener(config.read_text(), list(CASES.values()))
        async with running(proxy_app(config="corsproxy.yaml")) as proxy:
            for (name, data), right in zip(CASES.items(), expected, strict=True):
                found = await outcome(proxy.port, data)
                if isinstance(right, tuple) and isinstance(found, tuple):
                    assert found[0] == right[0], name
                    assert found[1] == right[1], name
                    assert found[2] == right[2], name
                else:
                    assert found == right, name


async def test_keys_of_cors_may_be_flat_or_nested() -> None:
    async with upstream() as server:
        url = f"http://localhost:{server.port}"
        flat = proxy_app(url, allow_origins=[PAGE], request_headers={"set": {"X-Key": "k"}})
        nested = proxy_app(url, cors={"allow_origins": [PAGE]}, strip_path=False)
        for app, has_key in ((flat, True), (nested, False)):
            async with running(app) as proxy:
                reply = await ask(proxy.port, get("/echo"))
                assert (reply.status, reply.grant) == (200, PAGE)
                assert ("X-Key" in reply.content.decode()) is has_key
                assert (await ask(proxy.port, get("/echo", origin=EVIL))).status == 403


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"upstream": "http://a.test", "config": "corsproxy.yaml"},
        {"config": "corsproxy.yaml", "allow_origins": [PAGE]},
        {"upstream": "http://a.test", "allow_origins": [PAGE], "cors": {"allow_origins": []}},
    ],
)
def test_either_url_or_file_is_required(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        proxy_app(**arguments)  # type: ignore[arg-type] # which is the point


def test_invalid_arguments_say_why() -> None:
    with pytest.raises(ConfigError, match="allow_orgins") as caught:
        proxy_app("http://api.test", allow_orgins=[PAGE])
    assert isinstance(caught.value, errors.ConfigError)
    with pytest.raises(ConfigError, match="credentials"):
        proxy_app("http://api.test", allow_origins="*", allow_credentials=True)


async def test_a_mounted_application_strips_its_prefix_and_puts_it_back() -> None:
    async with upstream() as server:
        outer = web.Application()
        url = f"http://localhost:{server.port}"
        outer.add_subapp("/api", proxy_app(url, allow_origins=[PAGE]))
        async with running(outer) as proxy:
            for path, target in (("/api/echo?q", "/echo?q"), ("/api", "/"), ("/api/", "/")):
                reply = await ask(proxy.port, get(path))
                assert json.loads(reply.content)["target"] == target
                assert reply.value("Set-Cookie") == "a=1; Path=/api/echo"
            reply = await ask(proxy.port, get("/api/moved"))
            assert reply.value("Location") == "http://localhost/api/echo"


async def test_records_have_the_outcome() -> None:
    records: list[ExchangeRecord] = []
    async with upstream() as server:
        app = proxy_app(
            f"http://localhost:{server.port}", allow_origins=[PAGE], on_record=records.append
        )
        async with running(app) as proxy:
            await ask(proxy.port, post(b"content", "/echo"))
            await ask(proxy.port, get("/echo", origin=EVIL))
    first, second = records
    assert (first.status, first.received, first.verdict.code) == (200, 7, "origin-allowed")
    assert first.sent > 0
    assert (second.status, second.verdict.code) == (403, "origin-not-allowed")
    assert second.outcome is not None


async def test_a_client_that_leaves_cancels_the_upstream() -> None:
    records: list[ExchangeRecord] = []
    async with upstream() as server:
        app = proxy_app(
            f"http://localhost:{server.port}", allow_origins=[PAGE], on_record=records.append
        )
        async with running(app) as proxy:
            client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
            await client.send(get("/events"))
            await client.head()
            client.reset()
            await asyncio.wait_for(server.app[ENDED].wait(), 10)
            await until(lambda: bool(records))
    assert records[0].error == "client-left"


async def test_streams_end_when_the_application_shuts_down() -> None:
    async with upstream() as server:
        app = proxy_app(f"http://localhost:{server.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
            await client.send(get("/events"))
            await client.head()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5
        await client.close()


async def test_websockets_pass_both_ways_with_their_protocol_and_their_close() -> None:
    async with upstream() as server:
        app = proxy_app(f"http://localhost:{server.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            client: TestClient[web.Request, None] = TestClient(proxy)
            large = bytes(70_000)
            async with client.ws_connect("/chat", origin=PAGE, protocols=("chat",)) as socket:
                assert socket.protocol == "chat"
                await socket.send_str("grüße")
                assert await socket.receive_str() == "GRÜSSE"
                for content in (b"", b"\x00", bytes(200), large):
                    await socket.send_bytes(content)
                    assert await socket.receive_bytes() == content
                await socket.send_str("end")
                closing = await socket.receive()
                assert (closing.type, closing.data) == (WSMsgType.CLOSE, 4001)
            async with client.ws_connect("/chat", origin=PAGE) as socket:
                await socket.close(code=4002)
            await until(lambda: 4002 in server.app[CLOSED])
            await client.close()


async def test_reload_reads_a_changed_file_again(tmp_path: Path) -> None:
    config = tmp_path / "corsproxy.yaml"
    async with upstream() as server:
        config.write_text(text(server.port))
        async with running(proxy_app(config=config, reload=True)) as proxy:
            assert (await ask(proxy.port, get("/echo", origin=EVIL))).status == 403
            config.write_text(text(server.port).replace(PAGE, EVIL))

            for _ in range(200):
                if (await ask(proxy.port, get("/echo", origin=EVIL))).status == 200:
                    break
                await asyncio.sleep(0.05)
            else:
                raise AssertionError
