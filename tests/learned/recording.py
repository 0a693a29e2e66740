"""A session in Chromium through a refusing proxy, recorded; and what `learn` makes of it.

The command runs as its users run it. As a browser stops at the first refusal, there are rounds:
the session, `learn` on the whole log, its edit, the session again. They end where the session
passes, or where it was tried twice and nothing new is proposed. Then each entry that was added
is taken away alone, to see that the session needs it.
"""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, Route

from tests.browser import servers
from tests.browser.inspected import Api
from tests.browser.programs import program
from tests.browser.proxy import RunningProxy, proxy
from tests.clients.services import WORKS, called, use
from tests.learned.devtools import DevTools
from tests.learned.sessions import Evidence, Session
from tests.process import finished
from tests.running import ask
from tests.terminal import at_terminal

OWN_SCRIPT = Path(__file__).with_name("own.js")
DEVTOOLS = "devtools"
MOST_ROUNDS = 8
_DEFAULTS: Mapping[str, Sequence[str]] = {
    "allow_origins": (),
    "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    "allow_headers": ("content-type", "authorization"),
    "expose_headers": (),
}
"""The lists, and what stands for one that is missing."""
_ASKED_OR_OVER = re.compile(r"(?P<asked>Write corsproxy.yaml)|nothing to add for")


class Where(NamedTuple):
    """What is there for all sessions."""

    browser: Browser
    ports: Mapping[str, int]
    """Of `page` and `other`, and of each service; DEVTOOLS is that of the browser's protocol."""


class Learned(NamedTuple):
    """How a session ended."""

    rounds: int
    """How often `learn` changed the file."""
    became: str
    """WORKS, or how the session fails after the last round."""
    said: str
    """What `learn` said last."""
    added: tuple[str, ...]
    needless: tuple[str, ...]
    """Entries without which the session passes as well."""


async def answer(request: web.BaseRequest, api: Api = Api()) -> web.StreamResponse:  # noqa: B008 - it only collects
    """An API that answers everything, scripts and images too."""
    if request.path == "/module.js":
        return web.Response(text="export const answer = 42;", content_type="text/javascript")
    if request.path == "/pixel.svg":
        text = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
        return web.Response(text=text, content_type="image/svg+xml")
    return await api.answer(request)


@asynccontextmanager
async def places() -> AsyncIterator[dict[str, int]]:
    """Serve pages at two ports, and the API."""
    async with (
        servers.serving(servers.blank_page) as page,
        servers.serving(servers.blank_page) as other,
        servers.serving(answer) as api,
    ):
        yield {"page": page, "other": other, "": api}


async def learn(where: Where, session: Session, directory: Path) -> Learned:
    """Let `learn` find what the session needs, and see whether it needs all of that."""
    file = directory / "corsproxy.yaml"
    upstream = f"http://localhost:{where.ports[session.service]}"
    file.write_text(session.file.format(upstream=upstream, **where.ports))
    async with proxy("--config", str(file)) as running:
        return await _Recorder(where, session, file, running).result()


class _Recorder:
    def __init__(self, where: Where, session: Session, file: Path, running: RunningProxy) -> None:
        self._where = where
        self._session = session
        self._file = file
        self._running = running
        self._marks = count()
        self._entries: list[Any] = []

    async def result(self) -> Learned:
        before = yaml.safe_load(self._file.read_text())
        rounds, fruitless, said = 0, 0, ""
        # One person's browser: what it has got, such as cookies, it has at the next try.
        context = await self._context()
        while True:
            became = await self._become(context)
            if became == WORKS or rounds == MOST_ROUNDS:
                break
            known = set(self._running.program.lines)
            content, said = self._file.read_text(), await self._propose()
            if self._file.read_text() != content:
                rounds, fruitless = rounds + 1, 0
                await self._reloaded(known)
            elif fruitless:
                break
            else:
                fruitless = 1
        await context.close()
        after = yaml.safe_load(self._file.read_text())
        added = list(_added(before, after))
        needless = [name for name, without in added if await self._passes(without)]
        return Learned(rounds, became, said, tuple(name for name, _ in added), tuple(needless))

    async def _context(self) -> BrowserContext:
        context = await self._where.browser.new_context()
        if self._session.pages[0].startswith("https:"):
            await context.route("https://*.example.test/", _blank)
            # Without a window, the dialog that asks for it is never answered.
            await context.grant_permissions(["local-network-access"])
        return context

    async def _become(self, context: BrowserContext) -> str:
        """Return what becomes of the session: WORKS, or how its last page to fail does."""
        became = WORKS
        for each in self._session.pages:
            page = await context.new_page()
            await page.goto(each.format(**self._where.ports))
            of_page = await self._use(page)
            became = became if of_page == WORKS else of_page
            await page.close()
        # The log is in the order of time: what came before the mark is there. The host keeps it
        # from the upstream.
        mark = f"/mark-{next(self._marks)}"
        await ask(self._running.port, f"GET {mark} HTTP/1.1\r\nHost: mark.test\r\n\r\n".encode())
        await self._running.logged(mark)
        return became

    async def _use(self, page: Page) -> str:
        if self._session.evidence is not Evidence.HAR:
            return await self._call(page)
        tools = await DevTools.open(page, self._where.ports[DEVTOOLS])
        became = await self._call(page)
        self._entries += await tools.entries()
        return became

    async def _call(self, page: Page) -> str:
        session, url = self._session, self._running.url
        if session.is_own:
            await page.add_script_tag(path=OWN_SCRIPT)
            return await called(page, session.client, url, session.settings)
        return await use(page, session.client, url, session.settings)

    async def _propose(self) -> str:
        """Run `learn` on what there is, and let it write, or apply its diff; returns its words."""
        directory, lines = self._file.parent, self._running.program.lines
        log = "".join(f"{line}\n" for line in lines)
        suffix = ("--origin-suffix", self._session.suffix) if self._session.suffix else ()
        if self._session.evidence is Evidence.STDIN:
            return await self._patch(await _learnt(directory, *suffix, given=log.encode()))
        recorded = directory / "recorded"
        recorded.write_text(log)
        if self._session.evidence is Evidence.HAR:
            # As one log that is preserved when the page is loaded again.
            recorded.write_text(json.dumps({"log": {"entries": self._entries}}))
            return await self._patch(await _learnt(directory, "recorded", *suffix))
        async with at_terminal(directory, "learn", "recorded", "--write", *suffix) as terminal:
            asked = await terminal.matches(_ASKED_OR_OVER)
            if asked["asked"]:
                terminal.press("y")
            await terminal.reads_on()
            assert await terminal.exit_code() == 0, terminal.seen
            return terminal.seen

    async def _patch(self, said: str) -> str:
        """Apply the diff that stands at the beginning."""
        if said.startswith("--- "):
            given = (said.partition("\n\n")[0] + "\n").encode()
            patch = await asyncio.create_subprocess_exec(
                program("patch"), "-p1", "--quiet", cwd=self._file.parent, stdin=PIPE
            )
            await patch.communicate(given)
            assert patch.returncode == 0, said
        return said

    async def _reloaded(self, known: Collection[str]) -> None:
        """Wait until the file is in force, which is told by a line that is not `known`."""
        await self._running.program.until(
            lambda line: line not in known and '"event": "reloaded"' in line
        )

    async def _passes(self, document: object) -> bool:
        """Whether the session passes under another file, in a browser that knows nothing."""
        known = set(self._running.program.lines)
        self._file.write_text(json.dumps(document))
        await self._reloaded(known)
        context = await self._context()
        became = await self._become(context)
        await context.close()
        return became == WORKS


async def _blank(route: Route) -> None:
    await route.fulfill(body="<!doctype html><title>page</title>", content_type="text/html")


async def _learnt(directory: Path, *arguments: str, given: bytes = b"") -> str:
    code, out, err = await finished("learn", *arguments, cwd=directory, given=given)
    assert code == 0, err
    return out


def _added(before: Any, after: Any) -> Iterator[tuple[str, object]]:
    """Yield each entry that `after` has and `before` has not, and `after` without it."""
    for path in _allowlists(after):
        old, new = _at(before, path), _at(after, path)
        for key in _DEFAULTS:
            for value in new.get(key, ()):
                if value not in old.get(key, _inherited(before, key)):
                    without = deepcopy(after)
                    _at(without, path)[key].remove(value)
                    yield f"{key} {value}", without
        if new.get("allow_credentials") and not old.get("allow_credentials"):
            without = deepcopy(after)
            del _at(without, path)["allow_credentials"]
            yield "allow_credentials", without


def _allowlists(document: Any) -> Iterator[tuple[str | int, ...]]:
    if "cors" in document:
        yield ("cors",)
    for index, route in enumerate(document.get("routes", ())):
        if "cors" in route:
            yield ("routes", index, "cors")


def _at(document: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        document = document.get(step, {}) if isinstance(document, dict) else document[step]
    return document


def _inherited(document: Any, key: str) -> Sequence[str]:
    found: Sequence[str] = document.get("cors", {}).get(key, _DEFAULTS[key])
    return found
