"""Writes lines to a file descriptor without ever blocking the proxy.

`write` only appends; a separate thread does the blocking writes in batches. If a reader stalls,
a bounded buffer fills up, and then lines are dropped and counted. If it has gone, nothing more
is written. Neither can block or end the process.
"""

import threading
from collections import deque
from collections.abc import Callable

from corsproxy.shell.feed.sink import Sink

# A batch waits this long for more lines: at most 50 wake-ups a second, and still instant at a
# terminal.
_BATCH_SECONDS = 0.02
_CAPACITY = 4 * 1024 * 1024


class Outlet:
    """A queue of lines in front of a file descriptor; None discards everything."""

    def __init__(
        self,
        descriptor: int | None,
        *,
        capacity: int = _CAPACITY,
        dropped_line: Callable[[int], str] = "{} lines were dropped\n".format,
    ) -> None:
        """`capacity` is in characters; `dropped_line` formats the number of dropped lines."""
        self.sink = Sink(descriptor, dropped_line)
        """Where the lines go; others may write there, too."""
        self._capacity = capacity
        self._dropped_line = dropped_line
        self._lines: deque[str] = deque()
        # Each counter has one writer, so no lock is needed.
        self._appended = 0
        self._taken = 0
        self._dropped = 0
        self._reported = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._closed = descriptor is None
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        if not self._closed:
            self._thread.start()

    @property
    def lost(self) -> int:
        """How many lines have been lost so far."""
        return self._dropped + self.sink.lost

    def write(self, line: str) -> None:
        """Queue a line, newline included. Never blocks."""
        if self._closed or self.sink.gone:
            return
        if self._appended - self._taken > self._capacity:
            self._dropped += 1
            return
        self._lines.append(line)
        self._appended += len(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, timeout: float = 1.0) -> None:
        """Write what is queued, for at most `timeout` seconds. Later lines are lost."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._closed = True

    def _run(self) -> None:
        while not (self._closed or self.sink.gone):
            self._wake.wait()
            self._closing.wait(_BATCH_SECONDS)
            # Cleared before the lines are taken: one that arrives in between sets it again.
            self._wake.clear()
            last = self._closing.is_set()
            self._write_batch()
            if last:
                return

    def _write_batch(self) -> None:
        batch = []
        while self._lines:
            batch.append(self._lines.popleft())
        text = "".join(batch)
        dropped = self._dropped
        if dropped > self._reported:
            batch.append(self._dropped_line(dropped - self._reported))
            self._reported = dropped
        self.sink.put("".join(batch).encode("utf-8", "backslashreplace"))
        self._taken += len(text)
