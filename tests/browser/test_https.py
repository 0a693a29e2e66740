"""https in Chromium: trusted certificates, and what pages on https need it for."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser, BrowserContext

from tests.browser import chromium
from tests.browser.chromium import Tab
from tests.browser.programs import DEADLINE_S, running
from tests.browser.proxy import RunningProxy, proxy
from tests.browser.scopes import fresh, shared
from tests.browser.servers import RecordingUpstream
from tests.browser.test_streams import TALK, Echo, echo

__all__ = ["echo"]


class Trusting(NamedTuple):
    """A user whose browser trusts the local authority."""

    browser: Browser
    environ: dict[str, str]


@shared
async def trusting(tmp_path_factory: object) -> AsyncIterator[Trusting]:
    home: Path = tmp_path_factory.mktemp("home")  # type: ignore[attr-defined]
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
