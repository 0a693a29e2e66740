"""Sessions in Chromium through a refusing proxy: what `learn` proposes is enough, and no more.

`make learned` does it with many more, of client libraries too.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.scopes import shared
from tests.clients.services import WORKS
from tests.learned.recording import Where, learn, places
from tests.learned.sessions import OWN


@shared
async def where(browser: Browser) -> AsyncIterator[Where]:
    async with places() as ports:
        yield Where(browser, ports)


@pytest.mark.parametrize("name", ["a preflight and credentials", "PUT, from standard input"])
async def test_the_session_passes_and_needs_all_of_it(
    tmp_path: Path, where: Where, name: str
) -> None:
    learned = await learn(where, OWN[name], tmp_path)
    assert learned.became == WORKS
    assert learned.added
    assert learned.needless == ()
