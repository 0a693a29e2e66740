"""Passes a worker's lines on, whole ones only.

Lines of several processes must not tear each other apart, and what a killed process has
begun to write must not become the head of another's line.
"""

import os
import threading

from corsproxy.shell.feed.sink import Sink

_READ_SIZE = 64 * 1024
# Nothing here writes lines as long as this; what has no end is not held back for ever.
_LONGEST_LINE = 1024 * 1024


class LineRelay:
    """A thread between a pipe and a sink. A sink that stalls holds up the pipe's writer."""

    def __init__(self, source: int, sink: Sink) -> None:
        """Take over the descriptor `source`."""
        self._source = source
        self._sink = sink
        self._thread = threading.Thread(target=self._run, name="worker's log", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until everything has been passed on, for at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        rest = b""
        with os.fdopen(self._source, "rb", buffering=0) as source:
            while data := source.read(_READ_SIZE):
                lines, end, rest = (rest + data).rpartition(b"\n")
                if len(rest) > _LONGEST_LINE:
                    end, rest = end + rest, b""
                self._sink.put(lines + end)
