"""Small writes to a socket, gathered and sent at the end of the event loop's turn.

A write to a socket may wake the process that reads from it. On one machine that costs more than
the write itself: an interrupt to another processor, or a switch of processes. Where a turn serves
many connections and their writes follow one another at once, the reader is woken only once.

What it promises: bytes leave in the order of the calls; `close`, `abort` and `write_eof` send what
is waiting first; and no connection holds back `AT_ONCE` bytes or more.
"""

import asyncio
from typing import Any, Final, cast

AT_ONCE: Final = 16 * 1024
"""As many bytes as this are written without waiting for the end of the turn."""


class GatheredTransport:
    """A socket's transport whose small writes are gathered; an `asyncio.Transport`."""

    __slots__ = ("_is_due", "_is_ending", "_loop", "_raw", "_waiting")

    def __init__(self, raw: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._raw = raw
        self._loop = loop
        self._waiting = b""
        self._is_ending = False  # whether nothing more may be written
        self._is_due = False  # whether the end of this turn will flush

    def write(self, data: bytes) -> None:
        if self._is_ending:
            return
        if len(data) + len(self._waiting) >= AT_ONCE:
            self._flush()
            self._raw.write(data)
            return
        self._waiting = self._waiting + data if self._waiting else data
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush_due)

    def _flush_due(self) -> None:
        self._is_due = False
        self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, b""
        if waiting and not self._raw.is_closing():
            self._raw.write(waiting)

    def can_write_eof(self) -> bool:
        return self._raw.can_write_eof()

    def write_eof(self) -> None:
        self._flush()
        self._is_ending = True
        self._raw.write_eof()

    def close(self) -> None:
        self._flush()
        self._raw.close()

    def abort(self) -> None:
        self._flush()
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size() + len(self._waiting)


def gathered(
    transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop
) -> asyncio.Transport:
    """Return `transport` with its small writes gathered; a `TlsConnection` does so itself."""
    raw = cast(asyncio.Transport, transport)
    if raw.get_extra_info("sslcontext") is not None:
        return raw
    return cast(asyncio.Transport, GatheredTransport(raw, loop))
