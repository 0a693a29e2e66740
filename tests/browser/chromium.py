"""A real Chromium, and what a page's script in it could read.

One browser serves a whole run; every test gets a context of its own (cookies, caches and
preflight caches apart). What the script cannot know, the name of the check that failed,
comes from the DevTools protocol: Network.loadingFailed, corsErrorStatus.
"""

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Frame,
    Page,
    async_playwright,
)

from tests.browser.programs import DEADLINE_S, program

ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


WHOLE = "chromium"
"""What people use: with windows and settings, though the windows are not shown."""

SHELL = "chromium-headless-shell"
"""The same engine and network service without windows: a page costs a quarter."""


@asynccontextmanager
async def launch(
    environ: Mapping[str, str] | None = None, *more: str, executable: str = WHOLE
) -> AsyncIterator[Browser]:
    """Run Debian's Chromium without a window, with further variables and arguments where they
    are given."""
    # Chromium refuses to run its sandbox as root, which is who runs in containers.
    as_root = ("--no-sandbox",) if hasattr(os, "getuid") and os.getuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(executable),
            headless=True,
            args=[*ARGUMENTS, *as_root, *more],
            env={**os.environ, **(environ or {})},
        )
        try:
            yield browser
        finally:
            await browser.close()


class Reading(NamedTuple):
    """What a script got from `fetch`: a response, or nothing but an error's name."""

    error: str = ""
    """"TypeError" where the browser kept the response; then all else is empty."""
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    url: str = ""

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def text(self) -> str:
        return self.body.decode()


class CorsFailure(NamedTuple):
    """Why Chromium refused, in its own words (CDP, Network.CorsErrorStatus)."""

    error: str
    parameter: str


_FETCH = """async ([url, init, deadline]) => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(deadline), ...init });
    const bytes = new Uint8Array(await response.arrayBuffer());
    let binary = "";
    for (let at = 0; at < bytes.length; at += 8192) {
      binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: btoa(binary),
      url: response.url,
    };
  } catch (error) {
    return { error: error.name };
  }
}"""

Init = Mapping[str, object]


async def fetch_from(page: Page | Frame, url: str, init: Init | None = None) -> Reading:
    """Call `fetch(url, init)` in the page and return what its script could read."""
    got = await page.evaluate(_FETCH, [url, dict(init or {}), DEADLINE_S * 1000])
    if "error" in got:
        return Reading(error=got["error"])
    return Reading(
        status=got["status"],
        headers=got["headers"],
        body=base64.b64decode(got["body"]),
        url=got["url"],
    )


class Tab:
    """A page on some origin, and what DevTools says about its failed requests."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._session = session
        self._urls: dict[str, str] = {}
        self._numbers = itertools.count()
        self._preflighted: set[str] = set()
        self._failures: dict[str, CorsFailure] = {}
        self._told = asyncio.Condition()
        """Notified of every preflight and failure."""

    @classmethod
    async def open(cls, context: BrowserContext, url: str) -> "Tab":
        page = await context.new_page()
        tab = cls(page, await context.new_cdp_session(page))
        await tab._listen()
        await page.goto(url)
        return tab

    async def fetch(self, url: str, init: Init | None = None) -> Reading:
        return await fetch_from(self.page, url, init)

    async def cors_failure(self, url: str) -> CorsFailure:
        """Return why the request to `url` was refused; waits for DevTools to say it."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._told:
                await self._told.wait_for(lambda: url in self._failures)
        except TimeoutError:
            raise AssertionError(f"DevTools says nothing about {url}") from None
        return self._failures[url]

    async def preflighted(self) -> frozenset[str]:
        """Return the URLs that preflights were sent to, for all calls that have ended.

        DevTools hears of a preflight from Chromium's network service, and the page's result
        comes from its renderer: the result may arrive first. The network service keeps its
        own order, so one more preflight, once it is reported, says that nothing is missing.
        """
        port = urlsplit(self.page.url).port
        last = f"http://last-{next(self._numbers)}.localhost:{port}/"
        await self.fetch(last, {"headers": {"X-Last": "1"}})
        async with asyncio.timeout(DEADLINE_S), self._told:
            await self._told.wait_for(lambda: last in self._preflighted)
        return frozenset(self._preflighted)

    @asynccontextmanager
    async def cancelling_sign_in(self) -> AsyncIterator[list[str]]:
        """Press Cancel in every dialog that asks for a password; yields the origins it named.

        Without a window nobody sees the dialog, and the request would wait for ever.
        """
        asked: list[str] = []

        async def cancel(event: Mapping[str, object]) -> None:
            challenge = event["authChallenge"]
            assert isinstance(challenge, dict)
            asked.append(challenge["origin"])
            answer = {"response": "CancelAuth"}
            await self._session.send(
                "Fetch.continueWithAuth",
                {"requestId": event["requestId"], "authChallengeResponse": answer},
            )

        async def go_on(event: Mapping[str, object]) -> None:
            await self._session.send("Fetch.continueRequest", {"requestId": event["requestId"]})

        listeners = {"Fetch.authRequired": cancel, "Fetch.requestPaused": go_on}
        for name, listener in listeners.items():
            self._session.on(name, listener)
        await self._session.send("Fetch.enable", {"handleAuthRequests": True})
        try:
            yield asked
        finally:
            await self._session.send("Fetch.disable")
            for name, listener in listeners.items():
                self._session.remove_listener(name, listener)

    async def _listen(self) -> None:
        self._session.on("Network.requestWillBeSent", self._on_request)
        self._session.on("Network.loadingFailed", self._on_failure)
        await self._session.send("Network.enable")

    async def _on_request(self, event: Mapping[str, object]) -> None:
        request = event["request"]
        assert isinstance(request, dict)
        self._urls[str(event["requestId"])] = request["url"]
        initiator = event["initiator"]
        assert isinstance(initiator, dict)
        if initiator["type"] == "preflight":
            async with self._told:
                self._preflighted.add(request["url"])
                self._told.notify_all()

    async def _on_failure(self, event: Mapping[str, object]) -> None:
        status = event.get("corsErrorStatus")
        if isinstance(status, dict):
            failure = CorsFailure(status["corsError"], status["failedParameter"])
            async with self._told:
                self._failures[self._urls[str(event["requestId"])]] = failure
                self._told.notify_all()


OpenTab = Callable[[str], Awaitable[Tab]]
"""Opens a page on an origin."""
