"""`core/outcome/set_cookie` predicts what Chromium does with cookies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext

from corsproxy.core.outcome.call import Call, Mode
from corsproxy.core.outcome.set_cookie import cookie_fates
from tests.browser import chromium
from tests.browser.chromium import Tab
from tests.browser.programs import DEADLINE_S
from tests.browser.proxy import proxy_with_file
from tests.browser.scopes import shared
from tests.browser.servers import serving

# Chromium does not store UNTOLD, and DevTools says nothing of it.
LINES = (
    "plain=1",
    "lax=1; SameSite=Lax",
    "strict=1; SameSite=Strict",
    "none=1; SameSite=None; Secure",
    "open=1; SameSite=None",
    "secure=1; Secure",
    "__Host-a=1; Secure; Path=/",
    "__Host-b=1; Path=/",
    "__Secure-c=1",
    "part=1; Partitioned; Secure; SameSite=None",
    UNTOLD := "halfpart=1; Partitioned",
    "elsewhere=1; Domain=example.com",
    "http=1; HttpOnly",
    "away=1; Path=/away",
    "gone=1; Max-Age=0",
    f"long={'x' * 4096}",
    "=",
)


@shared
async def browser() -> AsyncIterator[Browser]:
    """The whole of Chromium: its shell judges SameSite without schemes, and has no settings."""
    async with chromium.launch() as running:
        yield running


async def sets(request: web.BaseRequest) -> web.Response:
    """Sets them all at /login, and tells elsewhere which came back."""
    response = web.Response(text=request.headers.get("Cookie", ""))
    if request.path == "/login":
        for line in LINES:
            response.headers.add("Set-Cookie", line)
    return response


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_what_is_stored_and_comes_back_is_what_the_core_says(
    context: BrowserContext, page_port: int, tmp_path: Path, host: str
) -> None:
    origin = f"http://localhost:{page_port}"
    tab = await Tab.open(context, f"{origin}/")
    async with serving(sets) as port:
        cors = {"allow_origins": [origin], "allow_credentials": True}
        route = {"path": "/", "upstream": f"http://127.0.0.1:{port}", "cookies": "keep"}
        content = {"routes": [route], "cors": cors}
        async with proxy_with_file(tmp_path, content) as running:
            url = f"http://{host}:{running.port}"
            got = await _received(context, tab, f"{url}/login")
            back = await tab.fetch(f"{url}/", {"credentials": "include"})
    lines = str(got["headers"]["Set-Cookie"]).split("\n")
    blocked = {each["cookieLine"]: each["blockedReasons"] for each in got["blockedCookies"]}
    site = b"same-site" if host == "localhost" else b"cross-site"
    call = Call(Mode.CORS, url.encode(), origin=origin.encode(), site=site, credentials=True)
    fates = cookie_fates(call, b"/login", [(b"Set-Cookie", line.encode()) for line in lines])
    said = {line: fate.reason for line, fate in zip(lines, fates, strict=True)}
    # Playwright's windows are incognito ones, where a setting of the user's blocks cookies of other
    # sites before anything else is asked. No server can know it.
    by_setting = {line for line, reasons in blocked.items() if reasons == ["UserPreferences"]}
    assert not by_setting or host != "localhost"
    rejected = {line for line, reason in said.items() if reason}
    assert rejected | by_setting == {*blocked, UNTOLD}
    for line in set(blocked) - by_setting:
        assert said[line] in blocked[line], line
    stored = {
        fate.name
        for line, fate in zip(lines, fates, strict=True)
        if fate.reason is None and not fate.deletes and fate.path == "/" and line not in by_setting
    }
    assert {pair.partition("=")[0] for pair in back.text.split("; ") if pair} == stored


async def _received(context: BrowserContext, tab: Tab, url: str) -> Mapping[str, Any]:
    """Fetch `url` and return what DevTools says of the response's cookies."""
    session = await context.new_cdp_session(tab.page)
    found: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()

    def on_head(event: Mapping[str, Any]) -> None:
        if "Set-Cookie" in event["headers"] and not found.done():
            found.set_result(event)

    session.on("Network.responseReceivedExtraInfo", on_head)
    await session.send("Network.enable")
    assert (await tab.fetch(url, {"credentials": "include"})).status == 200
    async with asyncio.timeout(DEADLINE_S):
        return await found
