"""The client libraries on a page in Chromium, and the services that they call.

`make clients` builds both, in an environment of Node's own.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Error, Page

from tests.browser.programs import program, running

WORKS = "works"


def node_directory() -> Path:
    """Where `make clients` put the libraries and the pages' script."""
    found = Path(os.environ.get("NODE_CLIENTS") or Path(sys.prefix) / "clients")
    if not (found / "pages.js").is_file():
        pytest.fail(f"nothing is built in {found}: run `make clients`", pytrace=False)
    return found


@asynccontextmanager
async def services(origin: str) -> AsyncIterator[dict[str, int]]:
    """Run them for pages of `origin`; yields the port of each."""
    command = [program("node"), "servers.mjs", origin]
    async with running(command, cwd=node_directory()) as server:
        line = await server.until(lambda line: line.startswith("Listening "))
        yield json.loads(line.removeprefix("Listening "))


async def use(page: Page, client: str, url: str, settings: Mapping[str, object]) -> str:
    """Use a client as its users do; returns WORKS, or what became of it."""
    await page.add_script_tag(path=node_directory() / "pages.js")
    if client == "oidc":
        return await _log_in(page, url, settings)
    return await called(page, client, url, settings)


async def called(page: Page, client: str, url: str, settings: Mapping[str, object]) -> str:
    """Make the call in a page whose script is loaded; returns WORKS, or what became of it."""
    call = "([name, url, settings]) => called(name, url, settings)"
    found: str = await page.evaluate(call, [client, url, dict(settings)])
    return found


async def _log_in(page: Page, url: str, settings: Mapping[str, object]) -> str:
    """At the provider: log in, consent, and come back to the page."""
    await page.context.clear_cookies()  # who is logged in already is not asked
    home = page.url
    try:
        became = await called(page, "oidc", url, settings)
    except Error:  # the page was left before it could say anything
        became = WORKS
    if became != WORKS:
        return became
    await page.fill("input[name=login]", "ada")
    await page.fill("input[name=password]", "x")
    await page.click("button[type=submit]")
    await page.wait_for_selector("text=Authorize")
    await page.click("button[type=submit]")
    await page.wait_for_url(f"{home}?code=*")
    await page.add_script_tag(path=node_directory() / "pages.js")
    return await called(page, "oidc", url, settings)
