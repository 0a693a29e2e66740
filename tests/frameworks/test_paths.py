"""Paths that are forwarded are read by real back ends as the route that decided about them."""

from pathlib import Path

import pytest
from aiohttp import web

from tests.browser import servers as around
from tests.frameworks import servers
from tests.frameworks.paths import check, decided, paths
from tests.frameworks.smuggling import check_requests


def test_the_right_route_decides() -> None:
    spellings = (b"/account/x", b"/x", b"//account")
    assert [decided(path) for path in spellings] == ["account", "other", None]
    assert sum(decided(path) is None for path in paths(300)) > 25


@pytest.mark.parametrize("name", ["wsgi", "flask", "django"])
async def test_on_gunicorn(name: str) -> None:
    async with servers.gunicorn(f"where:{name}") as url:
        await check(url)
        await check_requests(url)


async def test_starlette_on_uvicorn() -> None:
    async with servers.uvicorn("where:starlette") as url:
        await check(url)
        await check_requests(url)


async def test_aiohttp() -> None:
    async def said(request: web.BaseRequest) -> web.Response:
        is_account = f"{request.path}/".startswith("/account/")
        return web.Response(text="account" if is_account else "other")

    async with around.serving(said) as port:
        await check(f"http://127.0.0.1:{port}")
        await check_requests(f"http://127.0.0.1:{port}")


async def test_nginx(tmp_path: Path) -> None:
    async with servers.nginx(tmp_path) as url:
        await check(url)
        await check_requests(url)
