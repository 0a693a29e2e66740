"""`corsproxy demo`: prints its URLs, and stops on request."""

import asyncio
import re
import signal
import sys
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import ClientSession

from corsproxy.cli.demo import command
from tests.browser.programs import Program, running

COMMAND = [sys.executable, "-m", "corsproxy", "demo"]


async def urls(demo: Program) -> dict[str, str]:
    """The URLs that it prints, by their labels."""
    await demo.until(lambda line: "Ctrl+C" in line)
    found = re.findall(r"(\w+): +(http://\S+)", "\n".join(demo.lines))
    return dict(found)


async def test_it_prints_where_its_parts_are() -> None:
    async with running(COMMAND, environ={"COLUMNS": "80"}) as demo:
        places = await urls(demo)
        texts = [line for line in demo.lines if "?token=" not in line]
        assert max(map(len, texts)) <= 80
        assert places.keys() == {"Open", "Inspector", "API", "Proxy", "Unlisted"}
        assert len(set(places.values())) == 5
        async with ClientSession() as client:
            origin = {"Origin": places["Open"]}
            async with client.get(f"{places['Open']}/") as page:
                assert "corsproxy demo" in await page.text()
            async with client.get(f"{places['API']}/api/products", headers=origin) as direct:
                assert "Access-Control-Allow-Origin" not in direct.headers
            async with client.get(f"{places['Proxy']}/api/products", headers=origin) as proxied:
                assert proxied.headers["Access-Control-Allow-Origin"] == places["Open"]
                assert proxied.headers["X-Total-Count"] == "3"
            origin = {"Origin": places["Unlisted"]}
            async with client.get(f"{places['Proxy']}/api/products", headers=origin) as refused:
                assert refused.status == 403
                assert refused.headers["Corsproxy-Reason"].startswith("origin-not-allowed; at=")
            async with client.get(places["Inspector"]) as inspector:
                assert "corsproxy inspector" in await inspector.text()
            rows = urljoin(places["Inspector"], "/inspector/rows")
            async with client.get(rows) as seen:
                assert [row["status"] for row in (await seen.json())["rows"]] == [200, 403]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_at_once_with_its_streams_open(number: signal.Signals) -> None:
    async with running(COMMAND) as demo:
        places = await urls(demo)
        async with (
            ClientSession() as client,
            client.get(f"{places['Open']}/observed"),
            client.get(f"{places['Proxy']}/api/events"),
        ):
            async with asyncio.timeout(20):
                assert await demo.stop(number) == 0
    assert not [line for line in demo.lines if "Traceback" in line or "rror" in line]


async def test_a_malformed_request_prints_nothing() -> None:
    async with running(COMMAND) as demo:
        places = await urls(demo)
        for url in places.values():
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        assert await demo.stop() == 0
    assert demo.lines[-1].strip() in ("", "Press Ctrl+C to stop")


def test_it_has_no_flags() -> None:
    assert [parameter.name for parameter in command.params] == []
