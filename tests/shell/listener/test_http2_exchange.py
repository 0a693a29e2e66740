"""One exchange on a stream: windows in both directions, and what stalls."""

import asyncio
import ssl

import pytest
from trustme import CA

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits
from corsproxy.http2.stream_states import STREAM_WINDOW
from tests.certificates import contexts
from tests.fakes import Asked, FakeResponse, FakeUpstream, echo, replying, serving
from tests.http2_client import H2Client, ResetError, connected
from tests.policies import policy

Tls = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls() -> Tls:
    return contexts(CA(), "h2")


async def test_the_clients_windows_hold_the_upstream_still(tls: Tls) -> None:
    response = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    async with (
        serving(FakeUpstream(replying(response, FakeResponse())), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        client.is_reading = False
        stream = await client.ask()
        response.put(bytes(300_000))
        assert len(await client.content(stream, 65_535)) == 65_535
        client.h2.increment_flow_control_window(2**20)
        await client.flush()
        # Another stream goes on.
        assert (await client.get()).status == 200
        client.h2.increment_flow_control_window(2**20, stream)
        await client.flush()
        response.end()
        assert len((await client.reply(stream)).content) == 300_000


async def test_a_stream_that_reads_nothing_is_reset(tls: Tls) -> None:
    response = FakeResponse(b"", framing=Framing.CHUNKED, ended=False)
    upstream = FakeUpstream(replying(response, FakeResponse()))
    rules = policy(limits=Limits(write_timeout=0.2))
    async with serving(upstream, rules, tls) as proxy, connected(proxy) as client:
        client.is_reading = False
        stream = await client.ask()
        response.put(bytes(300_000))
        with pytest.raises(ResetError):
            await client.reply(stream)
        assert (await proxy.record(0)).error == "client-stalled"
        client.h2.increment_flow_control_window(2**20)
        assert (await client.get()).status == 200


async def test_the_upstream_holds_the_client_still(tls: Tls) -> None:
    taking = asyncio.Event()

    async def slowly(asked: Asked) -> FakeResponse:
        await taking.wait()
        return FakeResponse(b"%d" % len(await asked.content()))

    async with (
        serving(FakeUpstream(slowly), policy(), tls) as proxy,
        connected(proxy) as client,
    ):
        stream = await client.ask(method="POST", ends=False)
        await until_window(client, STREAM_WINDOW)
        await client.send(stream, bytes(STREAM_WINDOW))
        assert client.h2.local_flow_control_window(stream) == 0
        taking.set()
        await client.send(stream, b"more", ends=True)
        assert (await client.reply(stream)).content == b"%d" % (STREAM_WINDOW + 4)


async def until_window(client: H2Client, size: int) -> None:
    while client.h2.remote_settings.initial_window_size < size:
        await client.receive()


async def test_stalled_content_times_out(tls: Tls) -> None:
    rules = policy(limits=Limits(body_timeout=0.2))
    async with serving(FakeUpstream(echo), rules, tls) as proxy, connected(proxy) as client:
        stream = await client.ask(method="POST", content=b"x", ends=False)
        assert (await client.head(stream))[0] == 408
        assert (await client.get()).status == 200
