"""Event streams and WebSockets, for listed pages only."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.browser.chromium import OpenTab
from tests.browser.programs import DEADLINE_S
from tests.browser.proxy import RunningProxy, proxy_with_file
from tests.browser.scopes import fresh
from tests.browser.servers import RecordingUpstream, serving
from tests.terminal import at_terminal

EVENTS = """([url, deadline]) => new Promise((resolve) => {
  const source = new EventSource(url, { withCredentials: true });
  const events = [];
  const finish = () => { source.close(); resolve(events); };
  source.onmessage = ({ data }) => events.push([data, performance.now()]);
  source.onerror = finish;
  setTimeout(finish, deadline);
})"""

TALK = """([url, protocols, deadline]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const heard = [];
  socket.onopen = () => { socket.send("hello"); socket.send(new Uint8Array([0, 255, 13, 10])); };
  socket.onmessage = ({ data }) => {
    heard.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
    if (heard.length === 2) socket.close(4001, "enough");
  };
  socket.onclose = ({ code, reason }) =>
    resolve({ heard, code, reason, protocol: socket.protocol });
  setTimeout(() => resolve({ heard, code: 0 }), deadline);
})"""

HELLO = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => resolve(data);
  window.ending = new Promise((ended) => {
    socket.onclose = ({ code, reason, wasClean: clean }) => ended({ code, reason, clean });
  });
})"""


class Echo(NamedTuple):
    """A WebSocket server, and what it saw."""

    port: int
    origins: list[str | None]
    closings: asyncio.Queue[tuple[int | None, str | None]]


@fresh
async def echo() -> AsyncIterator[Echo]:
    origins: list[str | None] = []
    closings: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        origins.append(connection.request.headers.get("Origin"))
        with suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)
        closings.put_nowait((connection.close_code, connection.close_reason))

    def select(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return offered[0] if offered else None

    async with serve(handle, "127.0.0.1", 0, select_subprotocol=select) as server:
        yield Echo(next(iter(server.sockets)).getsockname()[1], origins, closings)


def allowlist(upstream: str, page_port: int) -> dict[str, object]:
    origins = [f"http://localhost:{page_port}"]
    return {
        "upstream": upstream,
        "cors": {"allow_origins": origins, "allow_credentials": True},
    }


async def test_events_arrive_when_they_are_sent(
    open_tab: OpenTab, tmp_path: Path, upstream: RecordingUpstream, page_port: int
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    async with proxy_with_file(tmp_path, allowlist(upstream.url, page_port)) as running:
        events = await tab.page.evaluate(EVENTS, [f"{running.url}/events", DEADLINE_S * 1000])
    assert [data for data, _ in events] == ["0", "1", "2"]
    assert events[2][1] - events[0][1] > 50, "they came one by one, not all at the end"


async def test_an_unlisted_page_hears_no_event(
    open_tab: OpenTab,
    tmp_path: Path,
    upstream: RecordingUpstream,
    page_port: int,
    unlisted_port: int,
) -> None:
    tab = await open_tab(f"http://localhost:{unlisted_port}")
    async with proxy_with_file(tmp_path, allowlist(upstream.url, page_port)) as running:
        events = await tab.page.evaluate(EVENTS, [f"{running.url}/events", DEADLINE_S * 1000])
    assert events == []
    assert upstream.received == []


@pytest.mark.parametrize("protocols", [[], ["echo.v1"]])
async def test_a_listed_page_talks_over_a_websocket(
    open_tab: OpenTab, tmp_path: Path, echo: Echo, page_port: int, protocols: list[str]
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    async with ws_proxy(tmp_path, echo, page_port) as running:
        url = f"ws://localhost:{running.port}/chat"
        talk = await tab.page.evaluate(TALK, [url, protocols, DEADLINE_S * 1000])
    assert talk["heard"] == ["hello", [0, 255, 13, 10]]
    assert (talk["code"], talk["reason"]) == (4001, "enough")
    assert talk["protocol"] == "".join(protocols)
    assert echo.origins == [f"http://127.0.0.1:{echo.port}"]
    async with asyncio.timeout(DEADLINE_S):
        assert await echo.closings.get() == (4001, "enough")


async def test_a_proxy_that_stops_says_so_to_page_and_upstream(
    open_tab: OpenTab, tmp_path: Path, echo: Echo, page_port: int
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    async with ws_proxy(tmp_path, echo, page_port) as running:
        url = f"ws://localhost:{running.port}/chat"
        assert await tab.page.evaluate(HELLO, url) == "hello"
        assert await running.program.stop() == 0
        ending = await tab.page.evaluate("() => window.ending")
    assert ending == {"code": 1001, "reason": "", "clean": True}
    async with asyncio.timeout(DEADLINE_S):
        assert await echo.closings.get() == (1001, "")


async def test_an_unlisted_page_gets_no_websocket(
    open_tab: OpenTab, tmp_path: Path, echo: Echo, page_port: int, unlisted_port: int
) -> None:
    tab = await open_tab(f"http://localhost:{unlisted_port}")
    async with ws_proxy(tmp_path, echo, page_port) as running:
        url = f"ws://localhost:{running.port}/chat"
        talk = await tab.page.evaluate(TALK, [url, [], DEADLINE_S * 1000])
        logged = await running.logged("/chat")
    assert (talk["heard"], talk["code"]) == ([], 1006)
    assert (logged["code"], logged["kind"]) == ("origin-not-allowed", "websocket")
    assert echo.origins == []


def ws_proxy(
    directory: Path, echo: Echo, page_port: int
) -> AbstractAsyncContextManager[RunningProxy]:
    return proxy_with_file(directory, allowlist(f"http://127.0.0.1:{echo.port}", page_port))


OPEN_STREAMS = """async ([url, count]) => {
  window.sources ??= [];
  await Promise.all(Array.from({ length: count }, () => new Promise((resolve) => {
    const source = new EventSource(`${url}/open`);
    source.onmessage = resolve;
    window.sources.push(source);
  })));
}"""
CALL = """([url, wait]) => fetch(url, { signal: AbortSignal.timeout(wait) })
  .then(({ status }) => status, ({ name }) => name)"""


async def stays_open(request: web.BaseRequest) -> web.StreamResponse:
    """A stream of one event that does not end, and other answers that do."""
    if request.path != "/open":
        return web.Response()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: 0\n\n")
    await asyncio.Event().wait()
    return response


async def test_the_call_after_six_streams_waits_and_the_terminal_says_why(
    open_tab: OpenTab, page_port: int, tmp_path: Path
) -> None:
    page = (await open_tab(f"http://localhost:{page_port}")).page
    arguments = ("-p", "0", "--admin", "off")
    async with (
        serving(stays_open) as port,
        at_terminal(tmp_path, f"http://127.0.0.1:{port}", *arguments) as terminal,
    ):
        line = await terminal.shows("Proxy:")
        url = re.findall(r"http://localhost:\d+", line)[0]
        await page.evaluate(OPEN_STREAMS, [url, 5])
        await terminal.shows("stream opened, 5 of this page")
        assert await page.evaluate(CALL, [url, DEADLINE_S * 1000]) == 200
        assert "HTTP/2" not in terminal.seen
        await page.evaluate(OPEN_STREAMS, [url, 1])
        await terminal.shows("stream opened, 6 of this page")
        await terminal.shows(" --https")
        assert await page.evaluate(CALL, [url, 300]) == "TimeoutError"
        await page.evaluate("window.sources.pop().close()")
        assert await page.evaluate(CALL, [url, DEADLINE_S * 1000]) == 200
        assert terminal.seen.count("6 event streams open") == 1
