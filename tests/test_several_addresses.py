"""A name with several addresses, one of which changes, through the system's own resolver.

The command runs in a separate mount namespace, in which /etc/hosts is a file of the test.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.peers import RawPeer, answers
from tests.process import FREE_PORTS, Command, environment
from tests.running import Running

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NAME = "api.test"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def servers() -> AsyncIterator[list[RawPeer]]:
    """One on each address, on one port; each answers with its address."""
    async with AsyncExitStack() as stack:
        peers: list[RawPeer] = []
        for address in ADDRESSES:
            reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(address)}\r\n\r\n{address}"
            port = peers[0].port if peers else 0
            peer = RawPeer(answers(reply.encode()), host=address, port=port)
            peers.append(await stack.enter_async_context(peer))
        yield peers


def resolve(hosts: Path, *addresses: str) -> None:
    """Have NAME resolve to these from now on. The file stays the same one, which is mounted."""
    hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))


@asynccontextmanager
async def proxy(directory: Path, hosts: Path, port: int, limits: str) -> AsyncIterator[Running]:
    file = directory / "corsproxy.yaml"
    file.write_text(
        f"upstream: http://{NAME}:{port}\ncors: {{allow_origins: [http://a.test]}}\n{limits}"
    )
    command = f'mount --bind {hosts} /etc/hosts && exec {sys.executable} -m corsproxy "$@"'
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--map-root-user", "--mount", "sh", "-c", command, "sh"),
        *FREE_PORTS,
        cwd=directory,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Command(process)
    try:
        running = Running(started, await started.event("ready"))
        yield running
        await running.close()
    finally:
        process.kill()
        await process.communicate()


async def test_requests_use_all_addresses_and_follow_the_name(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    resolve(hosts, *ADDRESSES)
    limits = "limits: {upstream_max_age: 1s}\n"
    async with (
        servers() as peers,
        proxy(tmp_path, hosts, peers[0].port, limits) as running,
    ):
        client = await running.connect()

        async def ask() -> str:
            await client.send(GET)
            return (await client.reply()).content.decode()

        answered = [await ask() for _ in range(30)]
        assert [answered.count(address) for address in ADDRESSES] == [10, 10, 10]

        resolve(hosts, ADDRESSES[1])
        async with asyncio.timeout(20):
            row = 0
            while row < 20:  # under traffic, and never a pause in it
                row = row + 1 if await ask() == ADDRESSES[1] else 0
