"""More than 50 sessions of real clients, and the allowlists that `learn` makes of them.

`make learned` runs it. Each session passes under what `learn` proposed on the log of a refusing
proxy, and with no entry less; what `learn` never proposes stays refused, and it says why.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.scopes import shared
from tests.clients.services import WORKS, services
from tests.frameworks.servers import free_port
from tests.learned.recording import DEVTOOLS, Where, learn, places
from tests.learned.sessions import LIBRARIES, OWN

pytestmark = pytest.mark.asyncio(loop_scope="session")
SESSIONS = {**OWN, **LIBRARIES}


@shared
async def where() -> AsyncIterator[Where]:
    port = free_port()
    protocol = (f"--remote-debugging-port={port}", "--remote-allow-origins=*")
    async with (
        places() as ports,
        services(f"http://localhost:{ports['page']}") as of_clients,
        chromium.launch(None, *protocol) as browser,
    ):
        yield Where(browser, {**ports, **of_clients, DEVTOOLS: port})


@pytest.mark.parametrize("name", SESSIONS)
async def test_learned(tmp_path: Path, where: Where, name: str) -> None:
    session = SESSIONS[name]
    learned = await learn(where, session, tmp_path)
    print(f"{name}: {learned.rounds} rounds, {len(learned.added)} entries: {learned.added}")  # noqa: T201
    if session.listed:
        assert learned.added == ()
        assert session.listed in learned.said
    else:
        assert learned.became == WORKS, (learned, (tmp_path / "corsproxy.yaml").read_text())
        assert learned.added
    assert learned.needless == ()
