"""200 exchanges of all kinds: the inspector's account equals that of the DevTools protocol."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.async_api import CDPSession

from tests.browser import chromium, servers
from tests.browser.inspected import Inspected, View, inspected

EXCHANGES = 200
# What the connection has and the inspector, which is told of heads, has not.
_CONNECTIONS_OWN = {"connection", "keep-alive"}

SEND = """async ([url, calls, talks]) => {
  for (const [path, init] of calls) {
    await fetch(url + path, init).then((r) => r.arrayBuffer()).catch(() => null);
  }
  for (const texts of talks) {
    const socket = new WebSocket(url.replace("http", "ws") + "/socket");
    let heard = 0;
    const all = new Promise((done) => {
      socket.onmessage = () => { if (++heard === texts.length) done(); };
    });
    await new Promise((opened) => { socket.onopen = opened; });
    for (const text of texts) socket.send(text);
    await all;
    socket.close();
    await new Promise((closed) => { socket.onclose = closed; });
  }
  let events = 0;
  const source = new EventSource(url + "/events");
  await new Promise((done) => {
    source.addEventListener("tick", () => { if (++events === 5) done(); });
  });
  source.close();
}"""


def calls_of(random: Random) -> list[tuple[str, dict[str, object]]]:
    """Calls of every kind, each with a path of its own."""
    made = []
    for number in range(EXCHANGES):
        status = random.choice((200, 201, 204, 304, 400, 401, 403, 404, 409, 418, 500, 503))
        path = random.choice(
            (f"/plain/{number}", f"/status/{status}?n={number}", f"/zipped?n={number}",
             f"/echo?n={number}", f"/moved?n={number}")
        )  # fmt: skip
        method = random.choice(("GET", "GET", "POST", "PUT", "DELETE", "HEAD"))
        init: dict[str, object] = {"method": method, "cache": "no-store"}
        if random.random() < 0.3:
            init["credentials"] = "include"
        headers = random.choice(({}, {"X-Hostile": f"v{number}"}, {"Authorization": "Bearer abc"},
                                 {"X-Not-Allowed": "1"}))  # fmt: skip
        if method in ("POST", "PUT"):
            init["body"] = random.choice(("", "a", "é" * 50, "x" * 20_000))
            headers = {**headers, "Content-Type": random.choice(("text/plain", "application/json"))}
        init["headers"] = headers
        made.append((path, init))
    return made


class DevTools:
    """What the protocol says about each request, preflights apart."""

    def __init__(self) -> None:
        self.urls: dict[str, tuple[str, str]] = {}
        self.asked: dict[str, Mapping[str, str]] = {}
        self.answered: dict[str, tuple[int, Mapping[str, str]]] = {}
        self.frames: list[tuple[str, str]] = []
        self.events: list[tuple[str, str, str]] = []

    @classmethod
    async def listen(cls, session: CDPSession) -> "DevTools":
        tools = cls()
        session.on("Network.requestWillBeSent", tools._on_request)
        session.on("Network.requestWillBeSentExtraInfo", tools._on_asked)
        session.on("Network.responseReceivedExtraInfo", tools._on_answered)
        session.on("Network.webSocketFrameSent", lambda each: tools._on_frame("to_upstream", each))
        session.on(
            "Network.webSocketFrameReceived", lambda each: tools._on_frame("to_client", each)
        )
        session.on("Network.eventSourceMessageReceived", tools._on_event)
        await session.send("Network.enable")
        return tools

    def _on_request(self, event: Any) -> None:
        if "redirectResponse" not in event:
            request = event["request"]
            self.urls[event["requestId"]] = (request["method"], request["url"])

    def _on_asked(self, event: Any) -> None:
        self.asked.setdefault(event["requestId"], event["headers"])

    def _on_answered(self, event: Any) -> None:
        self.answered.setdefault(event["requestId"], (event["statusCode"], event["headers"]))

    def _on_frame(self, direction: str, event: Any) -> None:
        self.frames.append((direction, event["response"]["payloadData"]))

    def _on_event(self, event: Any) -> None:
        self.events.append((event["eventName"], event["data"], event["eventId"]))


@pytest.fixture
async def where(tmp_path: Path) -> AsyncIterator[tuple[Inspected, str]]:
    async with servers.serving(servers.blank_page) as port:
        page = f"http://localhost:{port}"
        async with inspected(tmp_path, page) as running:
            yield running, page


async def test_what_is_shown_is_what_devtools_saw(where: tuple[Inspected, str]) -> None:
    running, page = where
    random = Random(15)
    calls = calls_of(random)
    talks = [[f"text {n} {'y' * n * 70}" for n in range(count)] for count in (1, 5, 12)]
    async with chromium.launch() as browser:
        context = await browser.new_context()
        view = await View.open(context, running)
        tab = await context.new_page()
        tools = await DevTools.listen(await context.new_cdp_session(tab))
        await tab.goto(page)
        await tab.evaluate(SEND, [running.url, calls, talks])
        await asyncio.sleep(0)
        shown = await everything(view)
    compared = 0
    for identity, (method, url) in tools.urls.items():
        if not url.startswith(running.url) or identity not in tools.answered:
            continue
        path = url.removeprefix(running.url)
        status, headers = tools.answered[identity]
        found = [each for each in shown if (each["method"], each["path"]) == (method, path)]
        if not found:
            continue  # followed by another of the same address: EventSource, redirects
        asked = tools.asked.get(identity, {})
        is_same = any(agrees(each, status, headers, asked) for each in found)
        assert is_same, (method, path, status, headers, asked, found)
        compared += 1
    assert compared >= EXCHANGES
    sockets = [each["messages"] for each in shown if each["path"] == "/socket"]
    texts = [(m["direction"], m["size"], m.get("text", "")) for found in sockets for m in found
             if m["kind"] == "text"]  # fmt: skip
    expected = [(direction, len(data), data[:1024]) for direction, data in tools.frames
                if data.startswith(("text", "echo"))]  # fmt: skip
    assert sorted(texts) == sorted(expected)
    (events,) = [each["messages"] for each in shown if each["path"] == "/events"]
    assert [(m["kind"], m["text"], m["id"]) for m in events] == tools.events


async def everything(view: View) -> list[dict[str, Any]]:
    """Every exchange as the inspector tells it, preflights as exchanges of their own."""
    found = []
    for row in (await view.ask("rows"))["rows"]:
        details = await view.ask(f"rows/{row['id']}")
        found.append(account(row["method"], row["path"], row["status"], details["headers"]))
        found[-1]["messages"] = details["messages"]
        for headers in (details.get("preflight"), details["headers"]):
            if headers is not None and headers["request"]["line"].startswith("OPTIONS"):
                status = int(headers["response"]["line"].split()[0])
                found.append(account("OPTIONS", row["path"], status, headers))
    return found


def account(method: str, path: str, status: int, headers: Any) -> dict[str, Any]:
    asked, got = headers["request"]["fields"], headers["response"]["fields"]
    return {
        "method": method,
        "path": path,
        "status": status,
        "asked": [(each["name"].lower(), each["before"]) for each in asked if "before" in each],
        "got": [
            (each["name"].lower(), each.get("after", each.get("before")))
            for each in got
            if each["change"] != "removed"
        ],
    }


def agrees(shown: Any, status: int, headers: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether status and headers are the same; secrets, which are marks, by their names."""
    return (
        shown["status"] == status
        and lines(shown["got"]) == lines(each for each in pairs(headers))
        and lines(shown["asked"]) >= lines(pairs(asked)) - {("host", "")}
    )


def pairs(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """DevTools joins repeated fields by line feeds."""
    return [(name.lower(), each) for name, value in headers.items() for each in value.split("\n")]


def lines(fields: Any) -> set[tuple[str, str]]:
    secret = ("set-cookie", "cookie", "authorization")
    return {
        (name, "" if name in secret else value)
        for name, value in fields
        if name not in _CONNECTIONS_OWN
    }
