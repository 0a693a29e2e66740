"""This process answers all requests."""

import socket

from corsproxy.shell.admin.figures import Count
from corsproxy.shell.run.engine import Engine
from corsproxy.shell.run.single_process import SingleProcess
from tests.fakes import get
from tests.peers import RawPeer, answers
from tests.running import OK, ask
from tests.shell.run.test_engine import asking, ignore

OTHER = "https://other.example"


async def test_it_does_what_its_engine_does() -> None:
    async with RawPeer(answers(OK)) as upstream:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        process = SingleProcess(Engine(asking(upstream), ignore, "json", color=False), [sock])
        await process.start()
        assert process.is_listening
        assert process.workers() == ()
        await process.adopt(asking(upstream, OTHER), b"")
        assert (await ask(port, get(origin=OTHER))).grant == OTHER
        assert sum((await process.figures()).counts(Count.REQUESTS).values()) == 1
        assert await process.begin_drain(0.0) == 0
        await process.finish_drain()
        process.abandon()
