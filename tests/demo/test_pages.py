"""The demo's pages: served whole, to their own origins only, under a strict policy."""

import json
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from corsproxy.demo.allowlist import DemoAllowlist
from corsproxy.demo.observations import Observations
from corsproxy.demo.pages import Pages, Places
from corsproxy.shell.admin.inspector.application import read_files

PLACES = Places(
    page="http://localhost:1",
    elsewhere="http://localhost:2",
    api="http://127.0.0.1:3",
    proxy="http://localhost:4",
)
FILES = read_files("corsproxy.demo")
OWN = {"Host": "localhost:1", "Origin": PLACES.page}

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def allowlist() -> DemoAllowlist:
    return DemoAllowlist(PLACES.api, PLACES.page, PLACES.elsewhere)


@pytest.fixture
async def pages(aiohttp_client: AiohttpClient, allowlist: DemoAllowlist) -> Client:
    return await aiohttp_client(Pages(PLACES, Observations(), allowlist).application())


@pytest.mark.parametrize("name", ["", *FILES])
async def test_every_file_is_served_under_the_policy(pages: Client, name: str) -> None:
    async with pages.get(f"/{name}", headers=OWN) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".html")])
def test_a_page_loads_nothing_from_elsewhere_and_holds_no_code(name: str) -> None:
    html = FILES[name][0].decode()
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html)
    for file in re.findall(r"(?:src|href)=\"([^\"]+)\"", html):
        assert file in FILES


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_module_imports_only_its_neighbours(name: str) -> None:
    text = FILES[name][0].decode()
    for file in re.findall(r"from \"([^\"]+)\"", text):
        assert file.removeprefix("./") in FILES
    assert "innerHTML" not in text


@pytest.mark.parametrize("path", ["/nothing", "/..%2fpages.py", "/__init__.py"])
async def test_nothing_else_is_served(pages: Client, path: str) -> None:
    async with pages.get(path, headers=OWN) as response:
        assert response.status == 404


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:1", "localhost:9", ""])
async def test_a_rebound_host_name_is_refused(pages: Client, host: str) -> None:
    async with pages.get("/setup.json", headers={"Host": host}) as response:
        assert response.status in (400, 421)
        assert "8" not in await response.text()


async def test_a_page_learns_where_the_parts_are(pages: Client) -> None:
    async with pages.get("/setup.json", headers=OWN) as response:
        assert await response.json() == {**PLACES._asdict(), "inspector": None}


async def test_the_page_edits_the_allowlist(pages: Client) -> None:
    for command, edited in (({"allow": "method"}, True), ({"reset": True}, False)):
        async with pages.post("/policy", data=json.dumps(command), headers=OWN) as response:
            assert (await response.json())["edited"] == edited


@pytest.mark.parametrize("origin", [PLACES.elsewhere, PLACES.api, "null", None])
async def test_no_other_page_edits_it(
    pages: Client, allowlist: DemoAllowlist, origin: str | None
) -> None:
    headers = {"Host": "localhost:1"} if origin is None else {**OWN, "Origin": origin}
    async with pages.post("/policy", data=b'{"allow": "method"}', headers=headers) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
    assert not allowlist.as_json()["edited"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"1", b'{"allow": "x"}', b'{"allow": []}', b"\xff", b"[" * 400],
)
async def test_an_invalid_edit_is_refused(pages: Client, body: bytes) -> None:
    async with pages.post("/policy", data=body, headers=OWN) as response:
        assert response.status == 422


async def test_observations_come_as_events(
    aiohttp_client: AiohttpClient, allowlist: DemoAllowlist
) -> None:
    observations = Observations()
    pages = await aiohttp_client(Pages(PLACES, observations, allowlist).application())
    observations.add("api", {"status": 200})
    async with pages.get("/observed", headers=OWN) as response:
        assert response.content_type == "text/event-stream"
        line = await response.content.readline()
        assert json.loads(line.removeprefix(b"data: "))["status"] == 200
        observations.close()
        assert (await response.content.read()).strip() == b""
