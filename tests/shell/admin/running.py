"""An admin listener whose run is played by the test."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.application import Mount, application
from corsproxy.shell.admin.controls import Controls, Phase
from corsproxy.shell.admin.figures import Figures, Snapshot
from corsproxy.shell.admin.listener import AdminListener
from tests.fakes import Client, Reply
from tests.policies import policy


class Admin:
    """A listener whose phase and policy the test sets."""

    def __init__(self, *, is_loopback: bool = True, mount: Mount | None = None) -> None:
        self.phase = Phase.READY
        self.policy: Policy = policy()
        self.drained = 0
        controls = Controls(
            phase=lambda: self.phase,
            policy=lambda: self.policy,
            snapshot=lambda: self.snapshot(),
            drain=self.drain,
        )
        app = application(controls, is_loopback=is_loopback, mount=mount)
        self.listener = AdminListener(app)
        self.socket = socket.create_server(("127.0.0.1", 0))

    async def snapshot(self) -> Snapshot:
        return Snapshot(Figures(), True, 0.0)

    def drain(self) -> None:
        self.drained += 1

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection(*self.socket.getsockname()))

    async def ask(
        self, path: str, method: str = "GET", *lines: str, host: str = "localhost"
    ) -> Reply:
        client = await self.connect()
        head = (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", "")
        await client.send("\r\n".join(head).encode("latin-1"))
        reply = await client.reply(method)
        await client.close()
        names = [name.lower() for name, _ in reply.fields]
        assert not [name for name in names if name.startswith(b"access-control-")]
        return reply


@asynccontextmanager
async def serving(*, is_loopback: bool = True, mount: Mount | None = None) -> AsyncIterator[Admin]:
    admin = Admin(is_loopback=is_loopback, mount=mount)
    await admin.listener.start([admin.socket])
    try:
        yield admin
    finally:
        await admin.listener.close()
