"""Common to the tests of upstream connections: both event loops, and no leaks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from corsproxy.shell.upstream.pool import UpstreamPools
from tests.peers import until

_ON_BOTH_LOOPS = {
    "test_client_body",
    "test_connect",
    "test_http1_connection",
    "test_http1",
    "test_http2_connection",
    "test_http2_exchange",
    "test_http1_exchange",
    "test_piece",
    "test_pool",
    "test_server",
    "test_through_the_proxy",
    "test_tls",
    "test_tunnel",
}


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The connections use corners in which the two event loops differ."""
    if item.path.stem in _ON_BOTH_LOOPS:
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def pools() -> AsyncIterator[UpstreamPools]:
    """The upstreams; the test fails where it leaves a connection, a request or a task."""
    tasks = asyncio.all_tasks()
    sockets = _open_sockets()
    pools = UpstreamPools()
    yield pools
    await pools.close()
    await until(lambda: all(pool.open == 0 for pool in pools.figures()))
    await until(lambda: asyncio.all_tasks() <= tasks | {asyncio.current_task()})
    assert all(pool.in_flight == pool.waiting == 0 for pool in pools.figures())
    await until(lambda: _open_sockets() <= sockets)


def _open_sockets() -> int:
    """How many sockets this process has, where the system tells."""
    links = Path("/proc/self/fd")
    return sum(_target(link).startswith("socket:") for link in links.glob("*"))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
