"""A session in Chromium through a refusing proxy: what `learn` proposes is enough, and no more.

`make learned` does it with many more, of client libraries too.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser

from tests.browser.scopes import shared
from tests.clients.services import WORKS
from tests.learned.recording import Where, learn, places
from tests.learned.sessions import OWN


@shared
async def where(browser: Browser) -> AsyncIterator[Where]:
    async with places() as ports:
        yield Where(browser, ports)


async def test_the_session_passes_and_needs_all_of_it(tmp_path: Path, where: Where) -> None:
    learned = await learn(where, OWN["a preflight and credentials"], tmp_path)
    assert learned.became == WORKS
    assert [each.partition(" ")[0] for each in learned.added] == [
        "allow_origins",
        "allow_credentials",
    ]
    assert learned.needless == ()
