"""From an empty directory to a working call, with real client libraries in Chromium.

`make clients` runs it. The proxy is started at a terminal, with only the upstream or with the
shortest file. If the call fails, the test does what the terminal says: runs its command, writes its
line, or makes its setting in the page. It knows nothing else about what a library needs.
"""

import json
import re
import shlex
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page

from tests.browser import chromium, servers
from tests.browser.scopes import fresh, shared
from tests.clients.services import WORKS, services, use
from tests.frameworks.servers import free_port
from tests.process import finished
from tests.terminal import Terminal, at_terminal

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_EDITS = 2
CLIENTS = ("openai", "tus", "axios", "socketio", "s3", "graphql", "oidc")

# Everything that a terminal may tell somebody to do about a call.
INSTRUCTION = re.compile(
    r"run:\s+(?P<run>corsproxy allow [^\r\n]+)"
    r"|[Ss]tart it with:\s+corsproxy (?P<start>[^\r\n]+)"
    r"|Write\s+`(?P<new>[^`]+)`\s+in\s+place\s+of\s+`(?P<old>\w+)`\s+\(corsproxy\.yaml:(?P<line>\d+)"
    r"|`metadataSeed:\s+(?P<seed>\{[^`]+\})`"
)


@shared
async def browser() -> AsyncIterator[Browser]:
    async with chromium.launch() as running_browser:
        yield running_browser


@shared
async def origin() -> AsyncIterator[str]:
    async with servers.serving(servers.blank_page) as port:
        yield f"http://localhost:{port}"


@shared
async def ports(origin: str) -> AsyncIterator[dict[str, int]]:
    """The port of each service."""
    async with services(origin) as found:
        yield found


@fresh
async def page(browser: Browser, origin: str) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


class Newcomer:
    """Somebody who knows how to start the proxy, and does what it says."""

    def __init__(self, directory: Path, page: Page, origin: str, client: str) -> None:
        self.directory = directory
        self.file = directory / "corsproxy.yaml"
        self.said: list[str] = []
        """What the terminal said to do, and what became of each call."""
        self._page = page
        self._origin = origin
        self._client = client
        self._settings: dict[str, Any] = {}
        self._stack = AsyncExitStack()
        self._terminal: Terminal
        self._url = ""
        self._read = 0
        """How much of the terminal was read before the last call."""

    async def start(self, *arguments: str) -> None:
        """Start the proxy, in the place of the one that runs."""
        await self.end()
        terminal = at_terminal(self.directory, *arguments)
        self._terminal = await self._stack.enter_async_context(terminal)
        line = await self._terminal.shows("Proxy:")
        self._url = re.findall(r"http://localhost:\d+", line)[0]
        await self._terminal.shows("press h + enter")

    @property
    def seen(self) -> str:
        return self._terminal.seen

    async def end(self) -> None:
        await self._stack.aclose()

    async def calls(self) -> bool:
        """Use the client as its users do; whether it works."""
        self._read = len(self._terminal.seen)
        await self._page.context.clear_cookies()
        await self._page.goto(self._origin)
        became = await use(self._page, self._client, self._url, self._settings)
        self.said.append(became)
        return became == WORKS

    async def follows(self) -> None:
        """Do what the terminal says about the call."""
        told = await self._terminal.matches(INSTRUCTION, self._read)
        self.said.append(told[0])
        start = len(self._terminal.seen)
        if told["run"]:
            for each in told["run"].split(" && "):
                code, _, err = await finished(*shlex.split(each)[1:], cwd=self.directory)
                assert code == 0, (each, err)
            last = re.escape(told["run"].split()[-1])
            await self._terminal.matches(re.compile(rf"reloaded[^$]*[+~] .*{last}"), start)
        elif told["start"]:
            await self.start(*shlex.split(told["start"]))
        elif told["new"]:
            lines = self.file.read_text().splitlines()
            at = int(told["line"]) - 1
            assert lines[at].startswith(f"{told['old']}:")
            lines[at] = told["new"]
            self.file.write_text("\n".join(lines) + "\n")
            await self._terminal.matches(re.compile("corsproxy.yaml reloaded"), start)
        else:
            self._seed(told["seed"])

    def _seed(self, text: str) -> None:
        """Give the client what stands there; each … is a path that its own discovery names."""
        with urllib.request.urlopen(f"{self._url}/.well-known/openid-configuration") as found:
            document = json.load(found)
        members = re.findall(r'(\w+):\s+"([^"]+)/…"', text)
        assert members, text
        seed = {name: base + urlsplit(document[name]).path for name, base in members}
        self._settings["metadataSeed"] = seed


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("way", ["URL", "file"])
async def test_each_client_works_after_at_most_two_edits(
    tmp_path: Path, page: Page, origin: str, ports: dict[str, int], client: str, way: str
) -> None:
    upstream = f"http://localhost:{ports[client]}"
    newcomer = Newcomer(tmp_path, page, origin, client)
    flags = ("-p", str(free_port()), "--admin", "off")
    try:
        if way == "file":
            allowed = f"cors:\n  allow_origins: ['{origin}']\n"
            newcomer.file.write_text(f"upstream: {upstream}\n{allowed}")
            await newcomer.start(*flags)
        else:
            await newcomer.start(upstream, *flags)
        for edits in range(MOST_EDITS + 1):
            if await newcomer.calls():
                return
            if edits < MOST_EDITS:
                await newcomer.follows()
        pytest.fail("\n".join([*newcomer.said, newcomer.seen]), pytrace=False)
    finally:
        await newcomer.end()
