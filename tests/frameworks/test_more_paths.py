"""The property of `test_paths`, for the back ends that `make frameworks` installs."""

from pathlib import Path

import pytest

from tests.frameworks import servers
from tests.frameworks.paths import check
from tests.frameworks.smuggling import check_requests


@pytest.mark.parametrize("app", ["where_sinatra.ru", "where_rails.ru"])
async def test_on_puma(app: str) -> None:
    async with servers.puma(app) as url:
        await check(url)
        await check_requests(url)


@pytest.mark.parametrize("name", ["express", "node"])
async def test_on_node(name: str) -> None:
    async with servers.node("where.cjs", name) as url:
        await check(url)
        await check_requests(url)


async def test_haproxy(tmp_path: Path) -> None:
    async with servers.haproxy(tmp_path) as url:
        await check(url)
        await check_requests(url)


async def test_caddy(tmp_path: Path) -> None:
    async with servers.caddy(tmp_path) as url:
        await check(url)
        await check_requests(url)
