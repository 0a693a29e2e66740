"""What the API saw and what the proxy decided, in one sequence, for the page to show.

A page cannot read a blocked response, so it cannot know why it was blocked. The demo's servers
share one process: each writes here what it saw, and the page's own server (same origin as the
page) passes it on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

from corsproxy.shell.feed.records import ExchangeRecord

Entry = Mapping[str, object]
"""One observation as JSON; `seq` counts from 1 and never repeats."""

KEPT = 200
"""How many observations a newly opened page gets."""


class Observations:
    """A bounded, ordered record with any number of followers."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, Entry]] = deque(maxlen=KEPT)
        self._seq = 0
        self._closed = False
        self._changed = asyncio.Event()

    def add(self, where: str, entry: Entry) -> None:
        """Record what `where` ("api" or "proxy") saw, and wake every follower."""
        self._seq += 1
        self._entries.append((self._seq, {"seq": self._seq, "where": where, **entry}))
        self._wake()

    def close(self) -> None:
        """End every follower, so that a server can stop without waiting for them."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[Entry]:
        """Yield every entry that is still kept, then each new one, until `close`.

        A follower that is more than KEPT entries behind misses the oldest of them.
        """
        seen = 0
        while not self._closed:
            changed = self._changed
            fresh = [each for each in self._entries if each[0] > seen]
            for seq, entry in fresh:
                seen = seq
                yield entry
            if changed is self._changed:
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ExchangeObserver:
    """A journal that adds the proxy's records to `observations`."""

    def __init__(self, observations: Observations) -> None:
        self._observations = observations

    def exchange(self, record: ExchangeRecord) -> None:
        verdict, origin = record.verdict, record.origin
        self._observations.add(
            "proxy",
            {
                "method": record.method,
                "path": record.target.partition(b"?")[0].decode("ascii", "backslashreplace"),
                "origin": None if origin is None else origin.decode("ascii", "backslashreplace"),
                "status": record.status,
                "kind": str(verdict.kind),
                "code": str(verdict.code),
                "allowed": verdict.allowed,
                "at": None if verdict.at is None else str(verdict.at),
                "line": None if verdict.at is None else verdict.at.line,
            },
        )
