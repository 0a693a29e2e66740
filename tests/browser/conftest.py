"""Fixtures of the browser tests: one browser and one set of servers for the whole run."""

import os
from collections.abc import AsyncIterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.browser import chromium, servers
from tests.browser.chromium import OpenTab, Tab
from tests.browser.scopes import fresh, shared
from tests.browser.servers import RecordingUpstream

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: a browser belongs to the loop that started it."""
    for item in items:
        if HERE in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.browser)
            if iscoroutinefunction(item.function):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@shared
async def browser() -> AsyncIterator[Browser]:
    """Chromium in its shell; the variable CHROMIUM names another executable."""
    executable = os.environ.get("CHROMIUM", chromium.SHELL)
    async with chromium.launch(executable=executable) as running:
        yield running


@fresh
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    fresh_context = await browser.new_context()
    yield fresh_context
    await fresh_context.close()


@shared
async def page_port() -> AsyncIterator[int]:
    """Where pages are served: every host name and address on it is an origin."""
    async with servers.serving(servers.blank_page) as port:
        yield port


@shared
async def unlisted_port() -> AsyncIterator[int]:
    """Where the pages are served that no allowlist names."""
    async with servers.serving(servers.blank_page) as port:
        yield port


@fresh
async def open_tab(context: BrowserContext) -> OpenTab:
    """Open a page on an origin."""

    async def open_(origin: str) -> Tab:
        return await Tab.open(context, f"{origin}/")

    return open_


@shared
async def httpbin_url() -> AsyncIterator[str]:
    async with servers.httpbin() as url:
        yield url


@shared
async def broken_url() -> AsyncIterator[str]:
    async with servers.broken_peer() as url:
        yield url


@fresh
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with servers.recording_upstream() as recording:
        yield recording
