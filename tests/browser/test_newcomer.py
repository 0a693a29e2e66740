"""From a short file to a working call, following only what the terminal prints.

Each call is what a well-known client library sends. The test runs the commands that the terminal
prints, and calls again.
"""

import re
import shlex
from pathlib import Path

import pytest
from aiohttp import web

from tests.browser import servers
from tests.browser.chromium import OpenTab
from tests.process import finished
from tests.terminal import Terminal, at_terminal

MOST_EDITS = 2
_COMMAND = re.compile(r"(corsproxy allow [^\n]+)")

OPENAI = """async (url) => {
  const names = ["arch", "lang", "os", "package-version", "retry-count", "runtime",
    "runtime-version"];
  const stainless = Object.fromEntries(names.map((name) => [`x-stainless-${name}`, "x"]));
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer k", ...stainless },
    body: "{}",
  });
  return response.ok;
}"""
TUS = """async (url) => {
  const headers = { "tus-resumable": "1.0.0" };
  const created = await fetch(`${url}/files`, {
    method: "POST", headers: { ...headers, "upload-length": "5", "upload-metadata": "a" },
  });
  const location = created.headers.get("location");
  if (!location) return false;
  const sent = await fetch(new URL(location, url), {
    method: "PATCH", body: "hello",
    headers: {
      ...headers, "upload-offset": "0", "content-type": "application/offset+octet-stream",
    },
  });
  return sent.headers.get("upload-offset") === "5";
}"""
AXIOS = """async (url) => {
  const send = (method, path, body) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url + path);
    request.withCredentials = true;
    request.setRequestHeader("content-type", "application/json");
    request.onload = () => resolve(request.status);
    request.onerror = () => reject(new TypeError("Network Error"));
    request.send(body);
  });
  await send("POST", "/login", "{}");
  return (await send("GET", "/me", null)) === 200;
}"""
GRAPHQL = """async (url) => {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json", "apollographql-client-name": "web",
      "apollographql-client-version": "1", "apollo-require-preflight": "true",
    },
    body: JSON.stringify({ query: "{ me }" }),
  });
  return response.ok;
}"""


async def api(request: web.BaseRequest) -> web.StreamResponse:
    """An API without CORS that all of these clients are content with."""
    await request.read()
    path = request.path
    if path == "/files":
        return web.Response(status=201, headers={"Location": "/files/1", "Tus-Resumable": "1.0.0"})
    if path == "/files/1":
        return web.Response(status=204, headers={"Upload-Offset": "5", "Tus-Resumable": "1.0.0"})
    if path == "/login":
        response = web.json_response({})
        response.set_cookie("session", "s-1", httponly=True)
        return response
    if path == "/me" and "session" not in request.headers.get("Cookie", ""):
        return web.json_response({}, status=401)
    return web.json_response({})


@pytest.mark.parametrize(
    "call", [OPENAI, TUS, AXIOS, GRAPHQL], ids=["openai", "tus", "axios", "graphql"]
)
async def test_a_newcomer_needs_at_most_two_edits(
    open_tab: OpenTab, page_port: int, tmp_path: Path, call: str
) -> None:
    page = f"http://localhost:{page_port}"
    async with servers.serving(api) as port:
        (tmp_path / "corsproxy.yaml").write_text(
            f"upstream: http://localhost:{port}\ncors:\n  allow_origins: ['{page}']\n"
        )
        tab = await open_tab(page)
        async with at_terminal(tmp_path, "-p", "0", "--admin", "off") as terminal:
            line = await terminal.shows("Proxy:")
            url = re.findall(r"http://localhost:\d+", line)[0]
            await terminal.shows("press h + enter")
            works = f"(url) => ({call})(url).catch(() => false)"
            for edits in range(MOST_EDITS + 1):
                if await tab.page.evaluate(works, url):
                    return
                assert edits < MOST_EDITS, terminal.seen
                await _follow(terminal, tmp_path, edits)
    raise AssertionError("it does not work")


async def _follow(terminal: Terminal, directory: Path, edits: int) -> None:
    """Run the last command that the terminal shows, and wait until it counts."""
    await terminal.shows("corsproxy allow ", edits + 1)
    command = _COMMAND.findall(terminal.seen)[-1].strip()
    for each in command.split(" && "):
        code, _, err = await finished(*shlex.split(each)[1:], cwd=directory)
        assert code == 0, (each, err)
    await terminal.shows("corsproxy.yaml reloaded", edits + 1)
