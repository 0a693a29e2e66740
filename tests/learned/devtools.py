"""Chromium's DevTools at work on a page: the log of its Network panel, exported as HAR."""

import json
from itertools import count
from typing import Any

from playwright.async_api import Page

_REQUESTS = """
  const { NetworkLog } = await import("/devtools/models/logs/logs.js");
  const requests = NetworkLog.NetworkLog.instance().requests();
"""
_HAS = f"async (path) => {{ {_REQUESTS} return requests.some((r) => r.url().endsWith(path)); }}"
# As the panel's button does, without what it takes for secrets.
_EXPORT = f"""async () => {{ {_REQUESTS}
  const {{ Log }} = await import("/devtools/models/har/har.js");
  return JSON.stringify(await Log.Log.build(requests, {{ sanitize: true }}));
}}"""


class DevTools:
    """The front end, in a page of its own."""

    def __init__(self, inspected: Page, front: Page) -> None:
        self._inspected = inspected
        self._front = front
        self._marks = count()

    @classmethod
    async def open(cls, inspected: Page, port: int) -> "DevTools":
        """Open them; `port` is that of the browser's own protocol."""
        session = await inspected.context.new_cdp_session(inspected)
        info = await session.send("Target.getTargetInfo")
        await session.detach()
        target = info["targetInfo"]["targetId"]
        address = f"127.0.0.1:{port}"
        front = await inspected.context.new_page()
        where = f"{address}/devtools/page/{target}"
        await front.goto(f"http://{address}/devtools/inspector.html?ws={where}&panel=network")
        tools = cls(inspected, front)
        await tools._has_seen_all()
        return tools

    async def entries(self) -> list[Any]:
        """Return the log's entries, and close DevTools."""
        await self._has_seen_all()
        log = json.loads(await self._front.evaluate(_EXPORT))
        await self._front.close()
        return list(log["entries"])

    async def _has_seen_all(self) -> None:
        """Wait until a request of now is in the log; what is not recorded yet is made again."""
        path = f"/?mark={next(self._marks)}"
        while not await self._front.evaluate(_HAS, path):
            await self._inspected.evaluate("(path) => fetch(path).then(() => null)", path)
