"""The live feed: changes in the ring, as server-sent events.

Nothing is queued for a reader. When it can take more, it gets what has changed since its last
event, so a slow reader misses intermediate states but never the last one, and costs no
memory. Each event has an id, with which a reader can resume; after a restart of the proxy it
starts from the beginning.
"""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from corsproxy.shell.admin.inspector.admission import HEADERS
from corsproxy.shell.admin.inspector.ring import Ring, Row
from corsproxy.shell.admin.inspector.rows import Json, row_as_json
from corsproxy.shell.admin.inspector.secrets import MakeRedactor

# Ten updates per second look live, whatever the load.
_PAUSE_SECONDS = 0.1
_HEARTBEAT_SECONDS = 15.0


class EventStream:
    """Feeds any number of readers from one ring."""

    def __init__(
        self,
        ring: Ring,
        redactor: MakeRedactor,
        is_mended: Callable[[Row], bool],
        state: Callable[[], Json],
    ) -> None:
        """`state` returns what the page shows beside the rows."""
        self._ring = ring
        self._redactor = redactor
        self._is_mended = is_mended
        self._state = state
        self._is_closed = False

    def close(self) -> None:
        """End every stream, so that shutdown does not wait for them."""
        self._is_closed = True
        self._ring.wake()

    def snapshot(self, change: int = 0) -> Json:
        """Return everything that has changed since the change with that number."""
        ring, redactor = self._ring, self._redactor()
        ring.settle()
        return {
            "epoch": ring.epoch,
            "change": ring.change,
            "oldest": ring.oldest,
            "cleared": ring.cleared_at,
            "rows": [
                row_as_json(row, redactor, mended=self._is_mended(row))
                for row in ring.since(change)
            ],
            "state": self._state(),
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer with events until the reader leaves."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        last = request.headers.get("Last-Event-ID") or request.query.get("since", "")
        follower = self._ring.follow()
        try:
            await self._feed(response, follower, self._known(last))
        except ConnectionResetError:
            pass  # the reader has left
        finally:
            self._ring.unfollow(follower)
        return response

    def _known(self, event_id: str) -> int:
        """Return the number of the last change in the event with that id."""
        epoch, _, number = event_id.rpartition("-")
        if epoch != self._ring.epoch or not number.isascii() or not number.isdigit():
            return 0
        return min(int(number[:18]), self._ring.change)

    async def _feed(
        self, response: web.StreamResponse, follower: asyncio.Event, known: int
    ) -> None:
        while not self._is_closed:
            follower.clear()
            found = self.snapshot(known)
            known = self._ring.change
            event = f"id: {self._ring.epoch}-{known}\ndata: {json.dumps(found)}\n\n"
            await response.write(event.encode("ascii"))
            while not follower.is_set():
                try:
                    await asyncio.wait_for(follower.wait(), _HEARTBEAT_SECONDS)
                except TimeoutError:
                    await response.write(b":\n\n")
            await asyncio.sleep(_PAUSE_SECONDS)
