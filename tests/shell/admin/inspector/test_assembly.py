import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.peers import RawPeer, answers
from tests.policies import PAGE
from tests.process import finished, started
from tests.running import OK, ask, file_for, port_of

LISTEN = ("-l", "localhost:0", "--admin", "localhost:0")
CALL = b"GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\n\r\n"


async def test_the_ready_line_opens_it_and_it_sees_what_passes(tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        async with started(*LISTEN, "--inspect", cwd=tmp_path) as command:
            ready = await command.event("ready")
            assert ready["inspector"].startswith(f"{ready['admin']}/?token=")
            called = await ask(port_of(ready["listen"][0]), CALL % PAGE.encode())
            assert called.status == 200
            async with ClientSession() as session:
                async with session.get(ready["inspector"]) as page:
                    assert page.status == 200
                async with session.get(f"{ready['admin']}/inspector/rows") as rows:
                    (row,) = json.loads(await rows.text())["rows"]
    assert (row["path"], row["status"], row["outcome"]) == ("/a", 200, "readable")


@pytest.mark.parametrize("flags", [(), ("--no-inspect",)])
async def test_it_is_off_by_default(tmp_path: Path, flags: tuple[str, ...]) -> None:
    async with started("http://127.0.0.1:9", *LISTEN, *flags, cwd=tmp_path) as command:
        ready = await command.event("ready")
        assert "inspector" not in ready
        async with ClientSession() as session, session.get(f"{ready['admin']}/") as page:
            assert page.status == 404


@pytest.mark.parametrize("admin", ["off", "0.0.0.0:0"])
async def test_an_exposed_inspector_refuses_to_start(tmp_path: Path, admin: str) -> None:
    given = ("http://127.0.0.1:9", "-l", "localhost:0", "--admin", admin, "--inspect")
    code, _, complaint = await finished(*given, cwd=tmp_path)
    assert (code, "inspector" in complaint) == (2, True)


async def test_with_several_workers_it_is_reported_as_off(tmp_path: Path) -> None:
    given = ("http://127.0.0.1:9", *LISTEN, "--inspect", "--workers", "2")
    async with started(*given, cwd=tmp_path) as command:
        ready = await command.event("ready")
        assert "inspector" not in ready
        assert command.events[0]["code"] == "inspector-off"


async def test_many_cookies_of_localhost_are_accepted(tmp_path: Path) -> None:
    async with started("http://127.0.0.1:9", *LISTEN, "--inspect", cwd=tmp_path) as command:
        ready = await command.event("ready")
        async with ClientSession() as session:
            cookies = {"Cookie": f"a={'x' * 30_000}"}
            async with session.get(ready["inspector"], headers=cookies) as page:
                assert page.status == 200
