"""A proxy with its inspector, an API behind it, and a browser that shows the inspector."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.browser.chromium import Tab
from tests.browser.servers import serving
from tests.process import Command, started

CONFIG = """\
upstream: {api}
cors:
  allow_origins:
    - {page}  # the app
  allow_methods: [GET, POST, PUT]
  allow_headers: [content-type, authorization, x-hostile]
  allow_credentials: true
  max_age: 0
"""


class Api:
    """Answers everything with what the request's path asks for."""

    def __init__(self) -> None:
        self.cookies: list[str] = []
        """Of every request."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.cookies += request.headers.getall("Cookie", [])
        match request.path:
            case "/events":
                return await self._events(request)
            case "/socket":
                return await self._echo(request)
            case "/zipped":
                text = json.dumps({"zipped": ["x" * 30] * 50}).encode()
                headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
                return web.Response(body=gzip.compress(text), headers=headers)
            case "/moved":
                return web.Response(status=302, headers={"Location": "/plain"})
            case "/leaving":
                return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/login"})
            case "/echo":
                given = await request.read()
                content_type = request.headers.get("Content-Type", "text/plain")
                return web.Response(body=given, headers={"Content-Type": content_type})
            case path:
                status = int(path.removeprefix("/status/")) if "/status/" in path else 200
                headers = {"X-Api": "yes", "Set-Cookie": "seen=1; Path=/"}
                return web.json_response({"path": path}, status=status, headers=headers)

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(5):
            data = json.dumps({"n": number, "html": "<img src=x onerror=pwned()>"})
            await response.write(f"id: {number}\nevent: tick\ndata: {data}\n\n".encode())
        return response

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"echo {message.data}")
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket


class Inspected:
    """The proxy, the page's origin, and where the inspector is."""

    def __init__(self, command: Command, ready: dict[str, Any], file: Path, api: Api) -> None:
        self.command = command
        self.url: str = ready["listen"][0]
        self.inspector: str = ready["inspector"]
        self.file = file
        self.api = api

    @property
    def admin(self) -> str:
        """The inspector's origin."""
        parts = urlsplit(self.inspector)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def port(self) -> int:
        return urlsplit(self.inspector).port or 0


@asynccontextmanager
async def inspected(directory: Path, page: str, *arguments: str) -> AsyncIterator[Inspected]:
    """Run `corsproxy` with an allowlist that names `page`, and its inspector. With arguments
    that name an upstream as `{api}`, no file is written."""
    api = Api()
    file = directory / "corsproxy.yaml"
    async with serving(api.answer) as port:
        url = f"http://127.0.0.1:{port}"
        if not arguments:
            file.write_text(CONFIG.format(api=url, page=page))
        given = [argument.format(api=url) for argument in arguments]
        listen = ("-l", "localhost:0", "--admin", "localhost:0", "--inspect")
        async with started(*given, *listen, cwd=directory) as command:
            ready = await command.event("ready")
            draining = asyncio.create_task(_read_away(command))
            try:
                yield Inspected(command, ready, file, api)
            finally:
                draining.cancel()


async def _read_away(command: Command) -> None:
    assert command.process.stdout is not None
    while await command.process.stdout.readline():
        pass


class View:
    """The inspector's page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    @classmethod
    async def open(cls, context: BrowserContext, where: Inspected) -> "View":
        view = cls(await context.new_page())
        await view.page.goto(where.inspector)
        await expect(view.page).to_have_url(f"{where.admin}/")
        return view

    @property
    def rows(self) -> Locator:
        return self.page.locator("tr[data-exchange]")

    def row(self, *texts: str) -> Locator:
        found = self.rows
        for text in texts:
            found = found.filter(has_text=text)
        return found

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def tab(self, name: str) -> Locator:
        """Choose a tab of the details, and return what it shows."""
        await self.page.get_by_role("tab", name=name).click()
        await expect(self.page.get_by_role("tab", name=name)).to_have_attribute(
            "aria-selected", "true"
        )
        return self.page.get_by_role("tabpanel")

    async def ask(self, path: str) -> Any:
        """Return what the page's script gets from the inspector."""
        return await self.page.evaluate("p => fetch(p).then((r) => r.json())", f"/inspector/{path}")


async def call(tab: Tab, url: str, **init: object) -> bool:
    """Call, as a page does; returns whether its script could read the answer."""
    return (await tab.fetch(url, init)).ok
