"""The open event streams of each page.

Over HTTP/1.1 each takes a connection, and browsers open only a few per host. The number that
a page has open explains why its next call waits.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from corsproxy.shell.feed.records import ExchangeRecord

_Page = tuple[str, bytes]


class OpenStreams:
    """Counts the streams of each page."""

    def __init__(self, opened: Callable[[ExchangeRecord, int], None]) -> None:
        """`opened` gets each new stream and how many its page has open, with this one: 0 if that
        does not matter, because it came by HTTP/2 or from no page."""
        self._opened = opened
        self._open: Final[Counter[_Page]] = Counter()

    @contextmanager
    def open(self, record: ExchangeRecord) -> Iterator[None]:
        """Count a stream as long as the context lasts."""
        page = _page(record)
        if page is None:
            self._opened(record, 0)
            yield
            return
        self._open[page] += 1
        try:
            self._opened(record, self._open[page])
            yield
        finally:
            self._open[page] -= 1
            if not self._open[page]:
                del self._open[page]


def _page(record: ExchangeRecord) -> _Page | None:
    """Return the client and the origin, which together most likely mean one browser."""
    if record.request.is_http2:
        return None
    origin = record.origin
    if origin is None and record.value(b"sec-fetch-site") is None:
        return None
    return record.client, origin or b""
