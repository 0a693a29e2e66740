"""The recipes for frontends, word for word, in the frameworks' own dev servers.

`make recipes` runs it. It runs a recipe's shell blocks and puts its JavaScript in place; a page
from the dev server must then show in Chromium what the API answered through the proxy. So it fails
when a new version of a framework breaks a recipe.
"""

import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import Browser

from tests.browser import chromium, servers
from tests.browser.programs import running
from tests.browser.proxy import proxy
from tests.browser.scopes import shared
from tests.frameworks.servers import free_port
from tests.process import PROJECT
from tests.test_docs import FENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")

RECIPES = PROJECT / "docs" / "recipes" / "frontends.md"
DEFAULT = "http://localhost:8010"
BUILD_S = 120.0
"""How long a first build may take; Angular's is the longest."""
MARK = "// RECIPE"
QUIET = {
    "NEXT_TELEMETRY_DISABLED": "1",
    "NUXT_TELEMETRY_DISABLED": "1",
    "STORYBOOK_DISABLE_TELEMETRY": "1",
    "NG_CLI_ANALYTICS": "false",
    "BROWSER": "none",
}
SHOWN = """document.body.innerText.includes('"path":"/users"')"""


class App(NamedTuple):
    """An application that only lacks what its recipe says."""

    directory: str
    entry: str
    """Where JavaScript goes that names no file."""
    serve: str
    """Starts the dev server, where the recipe does not; {port} is its port."""
    page: str = "/"
    then: str = ""
    """The link to follow there."""


APPS = {
    "Vite": App("vite", "main.js", "npx vite --strictPort --port {port}"),
    "Next.js": App("next", "app/page.jsx", "npx next dev --port {port}"),
    "Nuxt": App("nuxt", "app.vue", "npx nuxi dev --no-fork --port {port}"),
    "SvelteKit": App("sveltekit", "", "npx vite dev --strictPort --port {port}", then="users"),
    "Angular": App("angular", "src/main.ts", "npx ng serve --port {port}"),
    "webpack": App("webpack", "main.js", "--no-open --port {port}"),
    "Storybook": App(
        "storybook",
        "users.stories.js",
        "--ci --port {port}",
        "/iframe.html?id=users--all&viewMode=story",
    ),
}


def blocks_of(title: str, url: str) -> list[tuple[str, str]]:
    """Return the blocks of a section of the page, each with its language, in order."""
    sections = re.split(r"(?m)^## ", RECIPES.read_text("utf-8"))
    text = next(each for each in sections if each.startswith(f"{title}\n"))
    assert DEFAULT in text, f"{title} names no {DEFAULT}"
    return FENCE.findall(text.replace(DEFAULT, url))


def node_directory() -> Path:
    """Where `make recipes` installed the frameworks."""
    found = Path(os.environ.get("NODE_RECIPES") or Path(sys.prefix) / "recipes")
    if not (found / "node_modules").is_dir():
        pytest.fail(f"nothing is installed in {found}: run `make recipes`", pytrace=False)
    return found


@shared
async def browser() -> AsyncIterator[Browser]:
    async with chromium.launch() as running_browser:
        yield running_browser


def write(directory: Path, entry: str, script: str) -> None:
    """Put a block where its first line says, or at the mark of the entry."""
    named = re.match(r"// ([\w./+-]*\w)(?:, [\w ]+)?\n", script)
    if named is None:
        path, content = directory / entry, script
    else:
        content = script[named.end() :]
        path = next(directory.glob(f"{named[1]}*"), directory / named[1])
    if path.exists() and MARK in path.read_text("utf-8"):
        content = path.read_text("utf-8").replace(MARK, content)
    path.write_text(content, "utf-8")


@asynccontextmanager
async def dev_server(title: str, url: str) -> AsyncIterator[str]:
    """Follow a recipe to a dev server; yields its URL."""
    app = APPS[title]
    directory = node_directory() / f"{app.directory}.run"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(node_directory() / app.directory, directory)
    port = free_port()
    serve = app.serve.format(port=port)
    for language, block in blocks_of(title, url):
        if language == "js":
            write(directory, app.entry, block)
        elif serve.startswith("--"):
            serve = f"{block.strip()} {serve}"
        else:
            async with running(["sh", "-ec", installed(block)], cwd=directory) as program:
                assert await program.ends() == 0, program.lines
    # The shell becomes the server, so that what ends one ends the other.
    serve = re.sub(r"^((?:\w+=\S+ )*)", r"\1exec ", installed(serve))
    serve = re.sub(r"^((?:\w+=\S+ )+)exec ", r"export \1; exec ", serve)
    async with running(["sh", "-ec", serve], cwd=directory, environ=QUIET) as server:
        await server.until(lambda line: f":{port}" in line, BUILD_S)
        yield f"http://localhost:{port}"


def installed(command: str) -> str:
    """Return a command with the programs that are installed, which npx would look for."""
    return command.replace("npx ", f"{node_directory()}/node_modules/.bin/")


@pytest.mark.parametrize("title", APPS)
async def test_a_page_calls_the_api_as_the_recipe_says(browser: Browser, title: str) -> None:
    app = APPS[title]
    async with (
        servers.recording_upstream() as upstream,
        proxy(upstream.url) as running_proxy,
        dev_server(title, running_proxy.url) as url,
        await browser.new_context() as context,
    ):
        # Some build a page when it is first asked for.
        context.set_default_timeout(BUILD_S * 1000)
        page = await context.new_page()
        await page.goto(f"{url}{app.page}")
        if app.then:
            await page.click(f"text={app.then}")
        await page.wait_for_function(SHOWN)
    [received, *_] = upstream.saw("/users")
    assert received.method == "GET"
