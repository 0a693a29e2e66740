"""Passes on a worker's log lines, complete ones only.

Lines of several processes must not be interleaved, and the unfinished line of a killed
process must not be joined to another line.
"""

import os
import threading

from corsproxy.shell.feed.sink import Sink

_READ_SIZE = 64 * 1024
# No line written here is this long; input without a line end is not held back for ever.
_LONGEST_LINE = 1024 * 1024


class LineRelay:
    """A thread between a pipe and a sink. A sink that stalls blocks the pipe's writer."""

    def __init__(self, source: int, sink: Sink) -> None:
        """Take ownership of the descriptor `source`."""
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
