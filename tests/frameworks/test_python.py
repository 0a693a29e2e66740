"""Django, and FastAPI on uvicorn: a login through the proxy comes out as without it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.browser.proxy import proxy, proxy_with_file
from tests.frameworks import servers
from tests.frameworks.walk import Walk, walk
from tests.policies import PAGE

KNOWN = {"django": servers.django, "fastapi": servers.fastapi}


def known(found: Walk) -> bool:
    """Whether the walk ended where it should have, so that two failures are not equal."""
    return found.user == "ada" and found.login[-1][0] == 200 and found.slash[-1] == (200, "/me/")


@pytest.mark.parametrize("name", KNOWN)
async def test_a_login_works_as_without_the_proxy(name: str) -> None:
    async with KNOWN[name]() as url, proxy(url) as running:
        through = await walk(running.url, PAGE)
        assert through == await walk(url, url)
        assert known(through), through


@pytest.mark.parametrize("name", KNOWN)
async def test_a_login_works_if_the_upstream_requires_https(name: str, tmp_path: Path) -> None:
    tls = servers.Certificate.made_in(tmp_path)
    only: Mapping[str, str] = {"HTTPS_ONLY": "1"}
    async with KNOWN[name](tls, only) as url:
        content = {
            "routes": [{"path": "/", "upstream": url, "tls": {"ca_file": str(tls.ca_file)}}],
            "cors": {"allow_origins": [PAGE], "allow_credentials": True},
        }
        async with proxy_with_file(tmp_path, content) as running:
            through = await walk(running.url, PAGE)
            assert through == await walk(url, url, tls.trusting)
            assert known(through), through


async def test_preserve_host_tells_the_public_address(tmp_path: Path) -> None:
    async with servers.fastapi() as url:
        routes = [{"path": "/", "upstream": url, "preserve_host": True}]
        content = {"routes": routes, "cors": {"allow_origins": [PAGE]}}
        async with proxy_with_file(tmp_path, content) as running:
            through = await walk(running.url, running.url)
            assert through == await walk(url, url)
            assert known(through), through
