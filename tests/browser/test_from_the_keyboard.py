"""A refused page, and a user who allows it with two keys."""

import re
from pathlib import Path

import pytest

from tests.browser.chromium import OpenTab
from tests.browser.servers import RecordingUpstream
from tests.terminal import at_terminal


@pytest.mark.parametrize(
    "init",
    [{}, {"method": "DELETE"}, {"headers": {"x-debug": "1"}}],
    ids=["origin", "method", "header"],
)
async def test_two_keys_allow_a_refused_page(
    open_tab: OpenTab,
    upstream: RecordingUpstream,
    page_port: int,
    unlisted_port: int,
    tmp_path: Path,
    init: dict[str, object],
) -> None:
    page = f"http://localhost:{page_port if init else unlisted_port}"
    (tmp_path / "corsproxy.yaml").write_text(
        f"upstream: {upstream.url}\n"
        f"cors:\n  allow_origins: ['http://localhost:{page_port}']\n  allow_methods: [PUT]\n"
    )
    tab = await open_tab(page)
    async with at_terminal(tmp_path, "-l", "localhost:0", "--admin", "off") as terminal:
        line = await terminal.shows("Proxy:")
        url = re.findall(r"http://localhost:\d+", line)[0]
        assert not (await tab.fetch(f"{url}/items", init)).ok
        await terminal.shows("press a + enter")
        terminal.press("a")
        await terminal.shows("[y/N]")
        terminal.press("y")
        await terminal.shows("corsproxy.yaml reloaded")
        reading = await tab.fetch(f"{url}/items", init)
    assert (reading.ok, reading.status) == (True, 200)
