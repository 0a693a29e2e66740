"""The soak reports each kind of deliberate damage."""

import asyncio

import pytest

from corsproxy.core.policy import UpstreamAddress
from corsproxy.shell.upstream.pool import UpstreamPools
from programs.soak.disturbances import Upstream
from programs.soak.run import Report
from programs.soak.saboteur import KINDS, Saboteur
from programs.soak.visitor import Numbers, Visitor
from tests.fakes import serving
from tests.policies import PAGE, policy, route, rules

VISITED = ("forward", "post", "events", "socket", "preflight", "refused")
ENOUGH = 3


async def visited(harm: str) -> tuple[Report, int]:
    """What is reported of visits with this harm between, and how often it was done."""
    upstream, report, pools, numbers = Upstream(), Report(), UpstreamPools(), Numbers()
    address = UpstreamAddress("http", "127.0.0.1", upstream.port)
    allowed = policy(route(upstream=address, cors=rules(PAGE)))
    async with upstream.running(), serving(pools, allowed) as proxy:
        async with Saboteur(harm, lambda: proxy.port).running() as saboteur:

            async def visit() -> None:
                visitor = Visitor(lambda: saboteur.port, upstream.received, numbers)
                for _ in range(5):
                    for kind in VISITED:
                        if saboteur.harmed < ENOUGH:
                            report.note(await visitor.visit(kind))
                await visitor.leave()

            await asyncio.gather(visit(), visit())
        await pools.close()
    report.judge(upstream)
    return report, saboteur.harmed


async def test_without_harm_nothing_is_reported() -> None:
    report, harmed = await visited("")
    assert (report.faults, harmed) == ([], 0)
    assert sum(report.counts.values()) == 2 * 5 * len(VISITED)


@pytest.mark.parametrize("harm", KINDS)
async def test_every_kind_of_harm_is_reported(harm: str) -> None:
    report, harmed = await visited(harm)
    assert harmed
    assert report.faults
