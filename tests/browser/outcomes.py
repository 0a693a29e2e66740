"""Calls of many kinds, and what Chromium does with the response to each.

The upstream answers byte for byte as the call's path says. Chromium's results come from the script
and from DevTools; nothing here shares code with the package.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page

from tests.browser.programs import DEADLINE_S

Lines = tuple[tuple[str, str], ...]
PAGE = "{page}"
"""Stands for the page's origin in a response field."""


class Said(NamedTuple):
    """A response that the upstream gives."""

    status: int = 200
    fields: Lines = ()


class Made(NamedTuple):
    """A call from a page."""

    route: str
    """The first segment of the path: which policy decides."""
    said: Said = Said()
    """What the upstream answers."""
    preflight: Said = Said(204)
    """What it answers a preflight, where it is asked."""
    kind: str = "fetch"
    init: tuple[tuple[str, object], ...] = ()
    """Of `fetch`."""

    @property
    def is_credentialed(self) -> bool:
        return ("credentials", "include") in self.init

    def path(self, number: int, page: str) -> str:
        """The path that has the upstream answer so, and tells this call from others."""
        says = [[each.status, each.fields] for each in (self.said, self.preflight)]
        text = json.dumps(says).replace(PAGE, page).replace("{number}", str(number))
        coded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return f"/{self.route}/{coded}/{number}"


class Seen(NamedTuple):
    """What became of a call in Chromium."""

    word: str
    error: str | None = None


@asynccontextmanager
async def obedient_upstream() -> AsyncIterator[str]:
    """An upstream that answers what each request's path says; yields its URL."""
    server = await asyncio.start_server(_obey, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            for line in head.lower().split("\r\n"):
                if line.startswith("content-length:"):
                    await reader.readexactly(int(line.partition(":")[2]))
            writer.write(_answer(head))
            await writer.drain()
    writer.close()


def _answer(head: str) -> bytes:
    method, path, _ = head.partition("\r\n")[0].split(" ")
    segments = path.split("/")
    status, fields = 200, []
    if len(segments) > 2 and segments[-2]:
        coded = segments[-2]
        said = json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
        is_preflight = method == "OPTIONS" and "access-control-request-method" in head.lower()
        status, fields = said[1 if is_preflight else 0]
    if "upgrade: websocket" in head.lower() and status == 101:
        fields = [*fields, ["Upgrade", "websocket"], ["Connection", "Upgrade"], _accept(head)]
    lines = [f"{name}: {value}" for name, value in fields]
    if status >= 200 and status != 204:
        lines.append("Content-Length: 0")
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode("latin-1")


def _accept(head: str) -> list[str]:
    """RFC 6455, 4.2.2."""
    import hashlib

    key = head.lower().index("sec-websocket-key:")
    value = head[key:].partition("\r\n")[0].partition(":")[2].strip()
    digest = hashlib.sha1((value + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return ["Sec-WebSocket-Accept", base64.b64encode(digest).decode()]


_CALL = """async (calls) => {
  const element = (name, url, more = {}) => new Promise((resolve) => {
    const each = Object.assign(document.createElement(name), more);
    each.onload = () => resolve({ type: "opaque" });
    each.onerror = () => resolve({ type: "element-error" });
    each[name === "link" ? "href" : "src"] = url;
    document.body.append(each);
  });
  const ways = {
    async fetch(url, init) {
      const response = await fetch(url, init);
      return { type: response.type, url: response.url };
    },
    xhr: (url, init) => new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(init.method ?? "GET", url);
      request.withCredentials = init.credentials === "include";
      request.onload = () => resolve({ type: "cors", url: request.responseURL });
      request.onerror = () => reject(new TypeError());
      request.send();
    }),
    img: (url) => element("img", url),
    "img-cors": (url) => element("img", url, { crossOrigin: "anonymous" }),
    script: (url) => element("script", url),
    beacon: async (url) => (navigator.sendBeacon(url, "x"), { type: "opaque" }),
    events: (url, init) => new Promise((resolve, reject) => {
      const source = new EventSource(url, { withCredentials: init.credentials === "include" });
      source.onopen = () => (source.close(), resolve({ type: "cors" }));
      source.onerror = () => (source.close(), reject(new TypeError()));
    }),
    websocket: (url) => new Promise((resolve, reject) => {
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.onopen = () => (socket.close(), resolve({ type: "cors" }));
      socket.onerror = () => reject(new TypeError());
    }),
  };
  return Promise.all(calls.map(async ([kind, url, init]) => {
    try { return await ways[kind](url, init); } catch { return { type: "error" }; }
  }));
}"""


class Watch:
    """A page, and what DevTools says of its calls."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._session = session
        self._chains: dict[str, list[str]] = {}
        self._failures: dict[str, str | None] = {}
        self._told = asyncio.Condition()

    @classmethod
    async def open(cls, context: BrowserContext, url: str) -> "Watch":
        page = await context.new_page()
        watch = cls(page, await context.new_cdp_session(page))
        watch._session.on("Network.requestWillBeSent", watch._on_request)
        watch._session.on("Network.loadingFailed", watch._on_failure)
        await watch._session.send("Network.enable")
        await page.goto(url)
        return watch

    async def call(self, calls: Sequence[tuple[Made, str]]) -> list[Seen]:
        """Make calls to URLs, all at once, and return what becomes of each."""
        arguments = [[made.kind, url, dict(made.init)] for made, url in calls]
        got = await self.page.evaluate(_CALL, arguments)
        return [
            await self._seen(made, url, result)
            for (made, url), result in zip(calls, got, strict=True)
        ]

    async def _seen(self, made: Made, url: str, result: Mapping[str, str]) -> Seen:
        if made.kind == "websocket":
            return Seen("readable" if result["type"] == "cors" else "blocked")
        chain = self._chain(url)
        if result["type"] == "error":
            await self._failed(url)
        if any(_origin(each) != _origin(url) for each in chain if each.startswith("http")):
            return Seen("leaves")
        if result["type"] == "error" or (
            result["type"] == "element-error" and self._error(url) is not None
        ):
            return Seen("blocked", self._error(url))
        is_opaque = result["type"] in ("opaque", "element-error")
        return Seen("opaque" if is_opaque and made.kind != "img-cors" else "readable")

    async def _failed(self, url: str) -> None:
        async with asyncio.timeout(DEADLINE_S), self._told:
            await self._told.wait_for(lambda: self._id(url) in self._failures)

    def _id(self, url: str) -> str:
        return next((key for key, chain in self._chains.items() if chain[0] == url), "")

    def _chain(self, url: str) -> list[str]:
        return self._chains.get(self._id(url), [])

    def _error(self, url: str) -> str | None:
        return self._failures.get(self._id(url))

    def _on_request(self, event: Mapping[str, object]) -> None:
        request, initiator = event["request"], event["initiator"]
        assert isinstance(request, dict)
        assert isinstance(initiator, dict)
        if initiator["type"] != "preflight":
            self._chains.setdefault(str(event["requestId"]), []).append(request["url"])

    async def _on_failure(self, event: Mapping[str, object]) -> None:
        status = event.get("corsErrorStatus")
        error: str | None = None
        if isinstance(status, dict):
            error = status["corsError"]
        elif str(event["errorText"]) not in ("", "net::ERR_FAILED", "net::ERR_ABORTED"):
            error = str(event["errorText"]).removeprefix("net::")
            error = error.removeprefix("ERR_BLOCKED_BY_RESPONSE.")
            # What an element cannot use is kept from it, whatever the proxy answers.
            error = None if error == "ERR_BLOCKED_BY_ORB" else error
        async with self._told:
            self._failures[str(event["requestId"])] = error
            self._told.notify_all()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
