"""A real page's calls through every engine end as they do through the proxy."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from corsproxy.config.places import read_places
from corsproxy.config.reader import read_policy
from corsproxy.export.engines import export
from tests.browser.chromium import OpenTab, Reading, Tab
from tests.browser.proxy import proxy_with_file
from tests.browser.scopes import fresh
from tests.export import upstream as answering
from tests.export.running import ENGINES, free_port, running

CREDENTIALS = {"credentials": "include"}

# What a page asks for, by name: path and `fetch`'s second argument.
CALLS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "read": ("/v1/users", {}),
    "read with credentials": ("/v1/users", CREDENTIALS),
    "put": ("/v1/users", {"method": "PUT", "headers": {"X-Token": "1"}, **CREDENTIALS}),
    "delete, which is not allowed": ("/v1/users", {"method": "DELETE"}),
    "a header that is not allowed": ("/v1/users", {"headers": {"X-Other": "1"}}),
    "any header": ("/any/users", {"method": "PUT", "headers": {"X-Whatever": "1"}, **CREDENTIALS}),
    "open": ("/open/users", {"headers": {"X-Token": "1"}}),
    "open with credentials": ("/open/users", CREDENTIALS),
    "not found": ("/v1/404", CREDENTIALS),
    "an error": ("/v1/500", CREDENTIALS),
    "redirect": ("/v1/302", CREDENTIALS),
    "dead": ("/dead/x", CREDENTIALS),
}
# Location is not mapped there, as the report says.
DIFFERENT = {"traefik": {"redirect"}}


def content(port: int, page: int, upstream: int) -> Mapping[str, Any]:
    url = f"http://127.0.0.1:{upstream}"
    return {
        "listen": f"localhost:{port}",
        "admin": "off",
        "upstream": url,
        "cors": {
            "allow_origins": [f"http://localhost:{page}"],
            "allow_methods": ["GET", "PUT"],
            "allow_headers": ["X-Token"],
            "expose_headers": ["X-Request-Id"],
            "allow_credentials": True,
            "max_age": "10m",
        },
        "routes": [
            {"path": "/any", "upstream": url, "cors": {"allow_headers": "*"}},
            {
                "path": "/open",
                "upstream": url,
                "cors": {"allow_origins": ["*"], "allow_credentials": False},
            },
            {"path": "/dead", "upstream": f"http://127.0.0.1:{free_port()}"},
        ],
    }


@asynccontextmanager
async def exported(engine: str, directory: Path, page: int, upstream: int) -> AsyncIterator[str]:
    port = free_port()
    text = json.dumps(content(port, page, upstream))
    policy = read_policy(text, "corsproxy.yaml", os.environ, str(directory)).policy
    places = read_places(text, "corsproxy.yaml")
    found = export(ENGINES[engine].exported_as, policy, "corsproxy.yaml", places)
    async with running(engine, directory, found.text, port):
        yield f"http://localhost:{port}"


async def outcomes(tab: Tab, url: str) -> dict[str, object]:
    return {name: _told(await tab.fetch(url + path, init)) for name, (path, init) in CALLS.items()}


def _told(reading: Reading) -> object:
    if reading.error:
        return reading.error
    exposed = {"x-request-id", "x-upstream", "cache-control"}
    return reading.status, {name: value for name, value in reading.headers.items()
                            if name in exposed and reading.status < 500}  # fmt: skip


@fresh
async def upstream_port() -> AsyncIterator[int]:
    async with answering.serving() as port:
        yield port


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_pages_calls_come_out_as_through_the_proxy(
    engine: str, open_tab: OpenTab, page_port: int, upstream_port: int, tmp_path: Path
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    own = dict(content(0, page_port, upstream_port))
    del own["listen"], own["admin"]
    async with proxy_with_file(tmp_path, own) as proxy:
        expected = await outcomes(tab, proxy.url)
    async with exported(engine, tmp_path, page_port, upstream_port) as url:
        found = await outcomes(tab, url)
    different = {name for name in CALLS if found[name] != expected[name]}
    assert different == DIFFERENT.get(engine, set()), (found, expected)
    assert expected["open with credentials"] == "TypeError"
    assert expected["read with credentials"] != "TypeError"


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_unlisted_page_reads_nothing(
    engine: str, open_tab: OpenTab, page_port: int, upstream_port: int, tmp_path: Path
) -> None:
    tab = await open_tab(f"http://other.localhost:{page_port}")
    async with exported(engine, tmp_path, page_port, upstream_port) as url:
        found = await outcomes(tab, url)
    readable = {name for name, outcome in found.items() if outcome != "TypeError"}
    assert readable == {"open"}
