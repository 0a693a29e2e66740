"""https in Chromium: trusted certificates, and what pages on https need it for."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext

from tests.browser import chromium, matrix, servers
from tests.browser import test_rewriting as rewriting
from tests.browser.chromium import OpenTab, Tab
from tests.browser.programs import DEADLINE_S, running
from tests.browser.proxy import RunningProxy, proxy, proxy_with_file
from tests.browser.scopes import fresh, shared
from tests.browser.servers import RecordingUpstream
from tests.browser.shop import shop
from tests.browser.test_matrix import agreed, policy_of
from tests.browser.test_streams import TALK, Echo, echo
from tests.process import finished

__all__ = ["echo"]


# Of the calls over HTTP/1.1, every so manieth; `HTTP2=all` makes them all.
STRIDE = 17


class Trusting(NamedTuple):
    """A user whose browser trusts the local authority."""

    browser: Browser
    environ: dict[str, str]


@shared
async def trusting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trusting]:
    home = tmp_path_factory.mktemp("home")
    # Chromium's store is under HOME; PATH leaves the system's alone.
    environ = {"HOME": str(home), "XDG_DATA_HOME": "", "CAROOT": ""}
    command = [sys.executable, "-m", "corsproxy", "trust"]
    async with running(command, environ={**environ, "PATH": "/usr/bin:/bin"}) as program:
        await program.until(lambda line: "Restart the browsers" in line)
    async with chromium.launch(environ) as browser:
        yield Trusting(browser, environ)


@fresh
async def context(trusting: Trusting) -> AsyncIterator[BrowserContext]:
    fresh_context = await trusting.browser.new_context()
    yield fresh_context
    await fresh_context.close()


@shared
async def page(trusting: Trusting, page_port: int) -> AsyncIterator[RunningProxy]:
    """Where a page on https is: behind another proxy."""
    url = f"http://127.0.0.1:{page_port}"
    async with proxy(url, "--https", environ=trusting.environ) as running_proxy:
        yield running_proxy


async def test_a_trusted_certificate_gives_no_warning(
    context: BrowserContext, page: RunningProxy
) -> None:
    tab = await Tab.open(context, page.url)
    assert await tab.page.evaluate("isSecureContext")
    session = await context.new_cdp_session(tab.page)
    await session.send("Security.enable")
    other = await Tab.open(context, page.url.replace("localhost", "127.0.0.1"))
    assert await other.page.title() == "page"


async def test_a_login_from_a_page_on_https_keeps_its_session(
    context: BrowserContext, page: RunningProxy, trusting: Trusting, upstream: RecordingUpstream
) -> None:
    tab = await Tab.open(context, page.url)
    async with proxy(upstream.url, "--https", environ=trusting.environ) as api:
        include = {"credentials": "include"}
        login = await tab.fetch(f"{api.url}/login", {"method": "POST", **include})
        assert login.status == 200
        me = await tab.fetch(f"{api.url}/me", include)
        assert '"cookie": "session=s-1"' in me.text


async def test_a_websocket_talks_beside_it(
    context: BrowserContext, page: RunningProxy, trusting: Trusting, echo: Echo
) -> None:
    tab = await Tab.open(context, page.url)
    url = f"http://127.0.0.1:{echo.port}"
    async with proxy(url, "--https", environ=trusting.environ) as api:
        await tab.fetch(f"{api.url}/")
        address = f"wss://localhost:{api.port}/chat"
        talk = await tab.page.evaluate(TALK, [address, [], DEADLINE_S * 1000])
    assert talk["heard"] == ["hello", [0, 255, 13, 10]]


async def test_calls_are_decided_as_over_http(
    open_tab: OpenTab,
    trusting: Trusting,
    tmp_path: Path,
    upstream: RecordingUpstream,
    page_port: int,
    unlisted_port: int,
) -> None:
    """The calls of `test_matrix`, by raw HTTP/1.1 and in Chromium over HTTP/2."""
    content = matrix.allowlist(upstream.url, page_port, unlisted_port)
    pairs = matrix.pairs(page_port, unlisted_port)
    pairs += matrix.stray_pairs(page_port, unlisted_port)
    pairs = pairs[:: 1 if os.environ.get("HTTP2") == "all" else STRIDE]
    listen = "--listen=https://localhost:0"
    async with proxy_with_file(tmp_path, content, listen, environ=trusting.environ) as running:
        policy = policy_of(content, running.port)
        raw, _ = await agreed(open_tab, running, policy, pairs, upstream, page_port)
    assert len([each for each in raw if each.outcome.blocked is None]) > len(pairs) / 4
    assert {each.headers["Via"][:2] for each in upstream.received} == {"2 "}


@shared
async def api(
    trusting: Trusting, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningProxy]:
    """The shop of `test_rewriting`, behind https."""
    directory = tmp_path_factory.mktemp("shop")
    async with shop(directory) as behind:
        content = rewriting.rules(behind)
        environ = trusting.environ
        async with proxy_with_file(directory, content, "--https", environ=environ) as running:
            yield running


@pytest.mark.parametrize(
    "case",
    [
        rewriting.test_a_login_over_https_lasts_on_http_localhost,
        rewriting.test_a_cookie_goes_where_its_path_leads,
        rewriting.test_a_script_sees_no_cookie_that_is_for_http_only,
        rewriting.test_a_logout_ends_the_session,
        rewriting.test_links_to_the_upstream_are_mapped_and_others_are_not,
        rewriting.test_the_location_of_a_201_leads_to_the_proxy,
        rewriting.test_a_refresh_leads_to_the_proxy,
        partial(rewriting.test_a_chain_of_redirects_stays_inside, method="POST"),
    ],
)
async def test_cookies_redirects_and_links_are_as_over_http(
    context: BrowserContext,
    page: RunningProxy,
    api: RunningProxy,
    case: Callable[[Tab, RunningProxy], Awaitable[None]],
) -> None:
    await case(await Tab.open(context, page.url), api)


MANY = """async ([url, count, deadline]) => {
  const until = AbortSignal.timeout(deadline);
  const open = [...Array(count).keys()].map((number) => new Promise((resolve, reject) => {
    const source = new EventSource(`${url}/endless?${number}`);
    source.onmessage = () => resolve(source);
    until.onabort = reject;
  }));
  const sources = await Promise.all(open);
  const response = await fetch(`${url}/meanwhile`, { signal: until });
  for (const source of sources) source.close();
  return { open: sources.length, via: (await response.json()).via };
}"""

UPLOAD = """async ([url, pieces]) => {
  let number = 0;
  const body = new ReadableStream({
    async pull(controller) {
      if (number === pieces) { controller.close(); return; }
      number += 1;
      controller.enqueue(new TextEncoder().encode(`piece ${number};`));
    },
  });
  const response = await fetch(url, { method: "POST", body, duplex: "half" });
  return await response.json();
}"""


@fresh
async def endless() -> AsyncIterator[str]:
    """An upstream of event streams that do not end, and of what takes uploads."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/endless":
            pieces = [piece async for piece in request.content.iter_any()]
            facts = {
                "length": request.headers.get("Content-Length"),
                "coding": request.headers.get("Transfer-Encoding"),
                "via": request.headers["Via"].split()[0],
                "content": b"".join(pieces).decode(),
            }
            return web.json_response(facts)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"data: here\n\n")
                await asyncio.sleep(0.2)
        return response

    async with servers.serving(handle) as port:
        yield f"http://127.0.0.1:{port}"


async def test_twelve_event_streams_leave_room_for_a_call(
    context: BrowserContext, page: RunningProxy, trusting: Trusting, endless: str
) -> None:
    tab = await Tab.open(context, page.url)
    async with proxy(endless, "--https", environ=trusting.environ) as api:
        told = await tab.page.evaluate(MANY, [api.url, 12, DEADLINE_S * 1000])
    assert told == {"open": 12, "via": "2"}


async def test_an_upload_is_streamed(
    context: BrowserContext, page: RunningProxy, trusting: Trusting, endless: str
) -> None:
    tab = await Tab.open(context, page.url)
    async with proxy(endless, "--https", environ=trusting.environ) as api:
        got = await tab.page.evaluate(UPLOAD, [f"{api.url}/upload", 100])
    assert got["content"] == "".join(f"piece {number};" for number in range(1, 101))
    assert (got["length"], got["coding"]) == (None, "chunked")


WAVES = """async ([url, most]) => {
  const got = [], end = performance.now() + most;
  while (performance.now() < end) {
    const wave = [...Array(90).keys()].map((each) => fetch(`${url}/wave?${each}`)
      .then(({ status }) => status, () => 0));
    got.push(...await Promise.all(wave));
  }
  return got;
}"""


async def test_a_drain_loses_no_call(
    context: BrowserContext, page: RunningProxy, trusting: Trusting, upstream: RecordingUpstream
) -> None:
    """Neither of those that are on their way, nor of those that come to a lame duck.

    In about one run in a hundred, Chromium itself fails calls that it was about to send when
    GOAWAY arrived (`SpdySession::TryCreateStream`). Those never arrive; what arrived is counted.
    """
    tab = await Tab.open(context, page.url)
    command = [sys.executable, "-m", "corsproxy", upstream.url, "--https", "--log-format=json"]
    ports = ("--listen=localhost:0", "--admin=localhost:0")
    async with running([*command, *ports], environ=trusting.environ) as program:
        ready = json.loads(await program.until(lambda line: '"ready"' in line))
        calling = asyncio.create_task(tab.page.evaluate(WAVES, [ready["listen"][0], 1800]))
        await program.until(lambda line: "/wave" in line)
        assert await finished("drain", ready["admin"]) == (0, "draining\n", "")
        got = await calling
        assert (await tab.fetch(f"{ready['listen'][0]}/last")).ok
        await program.until(lambda line: "/last" in line)
        arrived = [json.loads(line) for line in program.lines if "/wave" in line]
    assert {call.get("outcome") for call in arrived} == {"readable"}
    assert set(got) <= {200, 0}
    assert got.count(200) == len(arrived) > got.count(0)
