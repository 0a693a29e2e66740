"""A few reloads under load, with the real command."""

from pathlib import Path

import pytest

from programs.reloads.run import reload_often

# Tests run on machines that run other things; `make reloads` forgives nothing.
SLACK = 3.0

# Takes a file's cors rules over at once, and its response headers only with the next file.
MIXES_TWO_POLICIES = """
from dataclasses import replace
from corsproxy.shell.run.engine import Engine
adopt_whole = Engine.adopt
def adopt(self, policy):
    old = {route.name: route.response_headers for route in self.policy.routes}
    routes = [replace(route, response_headers=old[route.name]) for route in policy.routes]
    adopt_whole(self, replace(policy, routes=tuple(routes)))
Engine.adopt = adopt
from corsproxy.cli.main import main
main()
"""


@pytest.mark.parametrize(("routes", "workers"), [(500, 1), (20, 2)])
async def test_reloads_lose_mix_and_delay_nothing(
    tmp_path: Path, routes: int, workers: int
) -> None:
    report = await reload_often(
        12, routes, tmp_path, calm_seconds=1.0, workers=workers, slack=SLACK
    )
    assert not report.faults, "\n".join(report.lines())
    assert set(report.saves) == {"replaced", "moved away", "written over", "ConfigMap", "broken"}
    assert set(report.judge.counts) == {"actual", "preflight", "own", "unlisted", "slow"}
    assert len(report.judge.versions) >= 10


async def test_a_proxy_that_mixes_two_policies_is_found_out(tmp_path: Path) -> None:
    report = await reload_often(
        3, 2, tmp_path, calm_seconds=0.1, program=("-c", MIXES_TWO_POLICIES)
    )
    assert report.busy_load is not None
    assert report.busy_load.mixed
    assert any("several versions" in fault for fault in report.judge.faults)
