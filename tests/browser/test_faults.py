"""An upstream that fails: the page is told, and never gets a truncated response as complete."""

import json
import socket
from collections.abc import AsyncIterator

import pytest

from tests.browser.chromium import OpenTab, Tab
from tests.browser.proxy import RunningProxy, proxy
from tests.browser.scopes import fresh, shared


@fresh
async def tab(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


@shared
async def nobody_home() -> AsyncIterator[RunningProxy]:
    """A proxy for an upstream that does not run: its port is held, but not listened on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        async with proxy(f"http://127.0.0.1:{holder.getsockname()[1]}") as running:
            yield running


@shared
async def breaking(broken_url: str) -> AsyncIterator[RunningProxy]:
    async with proxy(broken_url) as running:
        yield running


@pytest.mark.parametrize(
    "init",
    [{}, {"method": "PUT", "headers": {"x-own": "1"}, "credentials": "include"}],
    ids=["simple", "preflighted"],
)
async def test_a_stopped_upstream_is_a_readable_502(
    tab: Tab, nobody_home: RunningProxy, init: dict[str, object]
) -> None:
    reading = await tab.fetch(f"{nobody_home.url}/items", init)
    assert reading.status == 502
    assert reading.headers["content-type"] == "application/problem+json"
    problem = json.loads(reading.text)
    assert problem["status"] == 502
    assert problem["code"] == "upstream-unreachable"
    assert "127.0.0.1" in problem["detail"]
    assert "running" in problem["hint"]


@pytest.mark.parametrize("path", ["/length", "/chunked", "/close"])
async def test_a_body_that_is_cut_never_looks_complete(
    tab: Tab, breaking: RunningProxy, path: str
) -> None:
    reading = await tab.fetch(f"{breaking.url}{path}")
    assert reading.error == "TypeError"


async def test_a_path_that_is_refused_can_be_read(tab: Tab, breaking: RunningProxy) -> None:
    """The browser resolves dot segments itself, unless they are encoded twice over."""
    reading = await tab.fetch(f"{breaking.url}/a/..%2fb")
    assert reading.status == 400
    assert json.loads(reading.text)["code"] == "bad-target"
