"""What a client can do wrong in the middle of an exchange, and what we can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from corsproxy.core.verdicts import Code
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from tests.fakes import get
from tests.peers import RawPeer, answers
from tests.policies import PAGE
from tests.running import OK, Running, running


def test_a_client_that_left_is_a_connection_that_ended() -> None:
    assert issubclass(ClientLeftError, ConnectionError)


def test_a_refused_body_says_why() -> None:
    refused = BodyRefusedError(Code.BODY_TIMEOUT)
    assert (refused.code, str(refused)) == (Code.BODY_TIMEOUT, "body-timeout")


# Faults of our own, planted in the command. All but the first request are answered. Compiled
# modules call their functions directly, and would never meet what is planted.

PLANT = """
import corsproxy.cli.main
from corsproxy.shell.listener import exchange, http1_exchange, last_decision, refused_bytes

def plant(module, name):
    real = getattr(module, name)
    def fault(*arguments, **more):
        requests = [getattr(each, "received", each) for each in arguments]
        seen = [getattr(each, "target", each) for each in requests]
        if b"/fault" in repr(seen).encode():
            raise KeyError("planted")
        return real(*arguments, **more)
    setattr(module, name, fault)

for place in {places}:
    plant(*place)
corsproxy.cli.main.main()
"""


@asynccontextmanager
async def planted(directory: Path, *places: str) -> AsyncIterator[Running]:
    """The command with a fault at each of these places, for requests to /fault."""
    pairs = [place.split(".") for place in places]
    named = ", ".join(f"({module}, {name!r})" for module, name in pairs)
    program = ("-c", PLANT.replace("{places}", f"({named},)"))
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, directory, program=program) as proxy,
    ):
        yield proxy


async def faults_told(proxy: Running) -> int:
    """How many faults the log has when the proxy has ended."""
    proxy.command.process.terminate()
    await proxy.command.event("stopped")
    assert await proxy.command.complaints() == ""
    faults = [each for each in proxy.command.events if each["event"] == "fault"]
    assert all("planted" in each["trace"] for each in faults)
    return len(faults)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    "places",
    [
        ("last_decision.decide",),
        ("exchange.complete",),
        ("http1_exchange.ClientBody", "last_decision.decide"),
    ],
    ids="+".join,
)
async def test_a_fault_is_an_answer_that_the_page_can_read(
    tmp_path: Path, places: tuple[str, ...]
) -> None:
    async with planted(tmp_path, *places) as proxy:
        client = await proxy.connect()
        await client.send(get("/fault"))
        reply = await client.reply()
        assert (reply.status, reply.grant) == (500, PAGE)
        assert b"internal-error" in reply.content
        assert b"planted" not in reply.content
        assert await client.rest() == b""
        assert (await proxy.ask(get("/fine"))).status == 200
        assert await faults_told(proxy) == 1


@pytest.mark.interpreted
@pytest.mark.parametrize("first", ["last_decision.decide", "exchange.complete"])
async def test_a_fault_in_the_answer_to_a_fault_is_a_bare_500(tmp_path: Path, first: str) -> None:
    async with planted(tmp_path, first, "exchange.refuse") as proxy:
        client = await proxy.connect()
        await client.send(get("/fault"))
        reply = await client.reply()
        assert (reply.status, reply.grant, reply.content) == (500, None, b"")
        assert await client.rest() == b""
        assert (await proxy.ask(get("/fine"))).status == 200
        assert await faults_told(proxy) == 1


@pytest.mark.interpreted
async def test_a_fault_about_bytes_that_are_no_request_is_a_bare_500(tmp_path: Path) -> None:
    async with planted(tmp_path, "refused_bytes.refuse_unread") as proxy:
        client = await proxy.connect()
        await client.send(b"GET /fault HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.content) == (500, b"")
        assert await client.rest() == b""
        assert (await proxy.ask(get("/fine"))).status == 200
        assert await faults_told(proxy) == 1


@pytest.mark.interpreted
async def test_a_fault_in_the_log_costs_no_answer(tmp_path: Path) -> None:
    async with planted(tmp_path, "exchange.ExchangeRecord") as proxy:
        assert (await proxy.ask(get("/fault"))).status == 200
        assert (await proxy.ask(get("/fine"))).status == 200
        assert await faults_told(proxy) == 1
