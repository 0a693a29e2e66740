"""Rails and Sinatra with what protects them by default: a login comes out as without the proxy."""

from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.browser.proxy import proxy, proxy_with_file
from tests.frameworks import servers
from tests.frameworks.test_python import known
from tests.frameworks.walk import walk
from tests.policies import PAGE

KNOWN = {
    "rails": partial(servers.puma, "rails_app.ru"),
    "sinatra": partial(servers.puma, "sinatra_app.ru"),
}


@pytest.mark.parametrize("name", KNOWN)
async def test_a_login_works_as_without_the_proxy(name: str) -> None:
    async with KNOWN[name]() as url, proxy(url) as running:
        through = await walk(running.url, PAGE)
        assert through == await walk(url, url)
        assert known(through), through


async def test_a_page_behind_the_proxy_reads_what_sinatra_keeps_from_strangers() -> None:
    """Its GET has no Origin, and rack-protection compares Referer with Host."""
    async with KNOWN["sinatra"]() as url, proxy(url) as running, ClientSession() as session:
        own = running.url.replace("127.0.0.1", "localhost")
        for referer, status in ((f"{own}/page", 200), ("https://evil.example/page", 403)):
            headers = {"Referer": referer, "Host": own.removeprefix("http://")}
            response = await session.get(f"{running.url}/data", headers=headers)
            assert response.status == status


async def test_a_login_works_if_rails_requires_https(tmp_path: Path) -> None:
    tls = servers.Certificate.made_in(tmp_path)
    async with KNOWN["rails"](tls, {"HTTPS_ONLY": "1"}) as url:
        content = {
            "routes": [{"path": "/", "upstream": url, "tls": {"ca_file": str(tls.ca_file)}}],
            "cors": {"allow_origins": [PAGE], "allow_credentials": True},
        }
        async with proxy_with_file(tmp_path, content) as running:
            through = await walk(running.url, PAGE)
            assert through == await walk(url, url, tls.trusting)
            assert known(through), through


async def test_a_stripped_prefix_is_in_every_redirect(tmp_path: Path) -> None:
    async with KNOWN["sinatra"]() as url:
        routes = [{"path": "/shop", "upstream": url, "strip_path": True}]
        content = {
            "routes": routes,
            "cors": {"allow_origins": [PAGE], "allow_credentials": True},
        }
        async with proxy_with_file(tmp_path, content) as running:
            through = await walk(f"{running.url}/shop", PAGE)
            assert known(through), through


async def test_rails_refuses_a_login_with_contradicting_addresses(tmp_path: Path) -> None:
    """Which is why X-Forwarded-Host is not sent beside a Host that is the upstream's own."""
    async with KNOWN["rails"]() as url:
        routes = [{"path": "/", "upstream": url, "forwarded": "on"}]
        content = {
            "routes": routes,
            "cors": {"allow_origins": [PAGE], "allow_credentials": True},
        }
        async with proxy_with_file(tmp_path, content) as running, ClientSession() as session:
            response = await session.get(f"{running.url}/token/", headers={"Origin": PAGE})
            assert response.status == 403  # Blocked host: localhost
