"""Logins that are bound to a connection, through the running command and through HAProxy.

Each test runs on both, and expects HAProxy's behaviour.
"""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import Client
from tests.logins import ask, log_in, logs_in
from tests.peers import DEADLINE_SECONDS, RawPeer, until
from tests.running import running

Connect = Callable[[], Awaitable[Client]]
Proxy = Callable[[RawPeer, Path], AbstractAsyncContextManager[Connect]]

_HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{upstream}
"""


@asynccontextmanager
async def corsproxy(upstream: RawPeer, directory: Path) -> AsyncIterator[Connect]:
    async with running(upstream, directory) as proxy:
        yield proxy.connect


@asynccontextmanager
async def haproxy(upstream: RawPeer, directory: Path) -> AsyncIterator[Connect]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = directory / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, upstream=upstream.port))
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert program is not None, "haproxy is not installed: scripts/install-test-programs"
    process = await asyncio.create_subprocess_exec(program, "-db", "-q", "-f", str(file))
    clients: list[Client] = []

    async def connect() -> Client:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                try:
                    client = Client(*await asyncio.open_connection("127.0.0.1", port))
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)
                else:
                    clients.append(client)
                    return client

    try:
        yield connect
    finally:
        for client in clients:
            await client.close()
        process.kill()
        await process.wait()


@pytest.fixture(params=[corsproxy, haproxy], ids=["corsproxy", "haproxy"])
def through(request: pytest.FixtureRequest) -> Proxy:
    proxy: Proxy = request.param
    return proxy


@pytest.mark.parametrize("scheme", [b"NTLM", b"Nego2"])
async def test_no_client_gets_a_connection_that_another_has_logged_in_on(
    through: Proxy, scheme: bytes, tmp_path: Path
) -> None:
    async with (
        RawPeer(logs_in(scheme)) as upstream,
        through(upstream, tmp_path) as connect,
    ):
        alice, other = await connect(), await connect()
        assert (await log_in(alice, b"alice", scheme)).content == b"alice"
        assert (await ask(other)).status == 401
        assert (await ask(alice)).content == b"alice"
        assert (await ask(other)).status == 401


async def test_concurrent_handshakes_do_not_mix(through: Proxy, tmp_path: Path) -> None:
    async with RawPeer(logs_in()) as upstream, through(upstream, tmp_path) as connect:
        clients = {name: await connect() for name in (b"alice", b"bob", b"carol")}
        for step in (b"TYPE1 ", b"TYPE3 ", b""):
            for name, client in clients.items():
                reply = await ask(client, step + name if step else b"")
                assert reply.content == (b"" if step == b"TYPE1 " else name)


# What HAProxy does not do: only ours.


async def test_the_connection_ends_with_its_client(tmp_path: Path) -> None:
    async with RawPeer(logs_in()) as upstream, corsproxy(upstream, tmp_path) as connect:
        alice = await connect()
        await log_in(alice, b"alice")
        await alice.close()
        await until(lambda: all(each.reader.at_eof() for each in upstream.connections))
        assert (await ask(await connect())).status == 401


async def test_a_response_alone_binds_the_connection(tmp_path: Path) -> None:
    """The request says nothing of it, as where the handshake is in a scheme of its own."""
    async with (
        RawPeer(logs_in(b"Own", b"Persistent-Auth: true\r\n")) as upstream,
        corsproxy(upstream, tmp_path) as connect,
    ):
        alice, other = await connect(), await connect()
        assert (await log_in(alice, b"alice", b"Own")).content == b"alice"
        assert (await ask(other)).status == 401
        assert (await ask(alice)).content == b"alice"


_BEHIND = "trusted_proxies: [127.0.0.0/8]\n"


async def test_connection_logins_are_refused_behind_a_trusted_proxy(tmp_path: Path) -> None:
    async with RawPeer(logs_in()) as upstream, running(upstream, tmp_path, _BEHIND) as proxy:
        offered = await ask(await proxy.connect())
        asked = await ask(await proxy.connect(), b"TYPE1 alice")
        for reply in (offered, asked):
            assert reply.status == 502
            reason = reply.value("Corsproxy-Reason")
            assert reason is not None
            assert reason.startswith("connection-authentication")
            problem = json.loads(reply.content)
            assert problem["code"] == "connection-authentication"
            assert "trusted_proxies" in problem["detail"]
            assert "Bearer" in problem["hint"]
        assert len(upstream.heads) == 1, "what was asked for has reached nobody"
