"""The last exchanges, limited in number and in bytes.

A row of the table is a call together with its preflight. It appears when the first of the
two arrives, under an id that only grows. Each change of it gets a number, so that a reader can
ask for everything after it.

Without a reader, exchanges only go into a queue; rows are made from it when one looks.
"""

import asyncio
from collections import deque
from typing import Final

from corsproxy.shell.admin.inspector.exchanges import Exchange

MOST_EXCHANGES: Final = 500
MOST_BODY_BYTES: Final = 8 * 1024 * 1024
MOST_HEAD_BYTES: Final = 8 * 1024 * 1024

# A browser sends the call as soon as it has the response to the preflight.
PAIRING_SECONDS: Final = 5.0

WAITING: Final = -1
"""In place of a row's id: the exchange has no row yet."""


class Row:
    """A call, its preflight, or both."""

    __slots__ = ("call", "change", "id", "preflight")

    def __init__(self, number: int) -> None:
        self.id = number
        self.change = 0
        """The number of its last change."""
        self.preflight: Exchange | None = None
        self.call: Exchange | None = None

    @property
    def exchanges(self) -> list[Exchange]:
        """The one or two exchanges, in the order in which they were sent."""
        return [each for each in (self.preflight, self.call) if each is not None]

    @property
    def main(self) -> Exchange:
        """The exchange that the row is about: the call, or a preflight without one."""
        found = self.call or self.preflight
        assert found is not None, "a row is made for an exchange"  # noqa: S101
        return found


class Ring:
    """Keeps exchanges and tells followers about changes."""

    def __init__(
        self,
        epoch: str,
        *,
        most: int = MOST_EXCHANGES,
        most_body_bytes: int = MOST_BODY_BYTES,
        most_head_bytes: int = MOST_HEAD_BYTES,
    ) -> None:
        """`epoch` names this run, so that ids of another run are not mistaken for its own."""
        self.epoch = epoch
        self._most = most
        self._most_body_bytes = most_body_bytes
        self._most_head_bytes = most_head_bytes
        self._rows: dict[int, Row] = {}
        self._count = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._heavy: deque[Exchange] = deque()
        """Exchanges with bodies or messages, oldest first."""
        self._waiting: dict[tuple[bytes | None, bytes, bytes | None, str], deque[Row]] = {}
        """Rows of granted preflights whose call may still come."""
        self._last_id = 0
        self.change = 0
        """The number of the last change."""
        self.cleared_at = 0
        """The last id removed by `clear`."""
        self._followers: set[asyncio.Event] = set()
        self._line: list[Exchange] = []
        """Exchanges that have no row yet; their `row` is WAITING. Once it is full, the newest
        replaces the oldest, which is at `_first`."""
        self._first = 0
        self._line_bytes = 0
        self._line_head_bytes = 0

    # Recording.

    def add(self, exchange: Exchange) -> None:
        """Keep a request that has just been decided; its `verdict` is known."""
        if self._followers:
            self._add(exchange)
            return
        line, at = self._line, self._first
        if len(line) < self._most:
            line.append(exchange)
        else:
            self._forget(line[at])
            line[at] = exchange
            self._first = at + 1 if at + 1 < self._most else 0
        exchange.row = WAITING
        self._line_head_bytes += exchange.head_bytes
        if self._line_head_bytes > self._most_head_bytes:
            self.settle()

    def settle(self) -> None:
        """Make rows for the waiting exchanges."""
        if not self._line:
            return
        line = self._line[self._first :] + self._line[: self._first]
        self._line = []
        self._first = self._line_bytes = self._line_head_bytes = 0
        for exchange in line:
            self._add(exchange)
            self.grew(exchange, exchange.kept_bytes)

    def _forget(self, exchange: Exchange) -> None:
        """Drop an exchange that was pushed out of the queue before it got a row."""
        self._line_bytes -= exchange.kept_bytes
        self._line_head_bytes -= exchange.head_bytes
        exchange.row = 0

    def _add(self, exchange: Exchange) -> None:
        row = self._row_of(exchange)
        exchange.row = row.id
        if exchange.is_preflight:
            row.preflight = exchange
            self._wait(row, exchange)
        else:
            row.call = exchange
        self._count += 1
        self._head_bytes += exchange.head_bytes
        while self._count > self._most or self._head_bytes > self._most_head_bytes:
            if not self._drop_oldest():
                break
        self.changed(exchange)

    def changed(self, exchange: Exchange) -> None:
        """Number a change of `exchange`, and wake the readers."""
        if exchange.row <= 0:
            return  # still queued, or already dropped
        row = self._rows.get(exchange.row)
        if row is None:
            return
        self.change += 1
        row.change = self.change
        for follower in self._followers:
            follower.set()

    def grew(self, exchange: Exchange, by: int) -> None:
        """Count `by` more bytes of bodies or messages (fewer if negative), and drop the oldest
        ones over the limit."""
        if exchange.row == WAITING:
            self._line_bytes += by
            if self._line_bytes > self._most_body_bytes:
                self.settle()
            return
        if not by or exchange.row not in self._rows:
            return
        if exchange.kept_bytes == by:  # its first
            self._heavy.append(exchange)
        self._body_bytes += by
        while self._body_bytes > self._most_body_bytes and self._heavy:
            self._let_go(self._heavy.popleft())

    def answered(self, exchange: Exchange, head_bytes: int, body_bytes: int) -> None:
        """Count the bytes of the response's head and of its first content, and number a
        change."""
        if not exchange.row:
            return
        exchange.head_bytes += head_bytes
        if exchange.row != WAITING:
            self._head_bytes += head_bytes
            self.grew(exchange, body_bytes)
            self.changed(exchange)
            return
        self._line_head_bytes += head_bytes
        self._line_bytes += body_bytes
        if self._line_bytes > self._most_body_bytes:
            self.settle()

    def clear(self) -> None:
        """Forget everything."""
        self.settle()
        for row in self._rows.values():
            for exchange in row.exchanges:
                exchange.row = 0
        self._rows.clear()
        self._heavy.clear()
        self._waiting.clear()
        self._count = self._head_bytes = self._body_bytes = 0
        self.cleared_at = self._last_id
        self.change += 1
        for follower in self._followers:
            follower.set()

    # Reading.

    def __len__(self) -> int:
        self.settle()
        return self._count

    @property
    def body_bytes(self) -> int:
        self.settle()
        return self._body_bytes

    def get(self, number: int) -> Row | None:
        self.settle()
        return self._rows.get(number)

    @property
    def oldest(self) -> int:
        """The id of the oldest row; without rows, the id of the next one."""
        self.settle()
        return next(iter(self._rows), self._last_id + 1)

    def since(self, change: int) -> list[Row]:
        """Return the rows changed after the change with that number, oldest first."""
        self.settle()
        return [row for row in self._rows.values() if row.change > change]

    def follow(self) -> asyncio.Event:
        """Return an event that is set at each change, until `unfollow`."""
        self.settle()
        follower = asyncio.Event()
        self._followers.add(follower)
        return follower

    def unfollow(self, follower: asyncio.Event) -> None:
        self._followers.discard(follower)

    def touch(self) -> None:
        """Number a change of every row: something has changed that they all show."""
        self.settle()
        for row in self._rows.values():
            self.changed(row.main)

    def wake(self) -> None:
        """Wake the readers because something beside the rows has changed."""
        for follower in self._followers:
            follower.set()

    # Pairing.

    def _row_of(self, exchange: Exchange) -> Row:
        """Return the row of the preflight that `exchange` follows, or a new one."""
        row = None if exchange.is_preflight else self._claim(exchange)
        if row is None:
            self._last_id += 1
            row = self._rows[self._last_id] = Row(self._last_id)
        return row

    def _wait(self, row: Row, preflight: Exchange) -> None:
        if preflight.verdict is None or not preflight.verdict.allowed:
            return
        method = (preflight.value(b"access-control-request-method") or b"").decode("latin-1")
        waiting = self._waiting.setdefault(_pair(preflight, method), deque())
        waiting.append(row)

    def _claim(self, call: Exchange) -> Row | None:
        if not self._waiting:
            return None
        pair = _pair(call, call.request.method)
        waiting = self._waiting.get(pair)
        while waiting:
            row = waiting.popleft()
            if not waiting:
                del self._waiting[pair]
            preflight = row.preflight
            if preflight is None or row.id not in self._rows:
                continue
            if call.clock - preflight.clock <= PAIRING_SECONDS:
                return row
        return None

    # Limits.

    def _drop_oldest(self) -> bool:
        if len(self._rows) <= 1:
            return False  # the newest one stays, however large it is
        row = self._rows.pop(next(iter(self._rows)))
        for exchange in row.exchanges:
            self._count -= 1
            self._head_bytes -= exchange.head_bytes
            self._body_bytes -= exchange.kept_bytes
            exchange.row = 0
            exchange.let_go()
        if row.call is None:
            self._stop_waiting(row)
        while self._heavy and not self._heavy[0].row:
            self._heavy.popleft()
        return True

    def _stop_waiting(self, row: Row) -> None:
        preflight = row.preflight
        if preflight is None:
            return
        method = (preflight.value(b"access-control-request-method") or b"").decode("latin-1")
        pair = _pair(preflight, method)
        waiting = self._waiting.get(pair)
        if waiting is not None and row in waiting:
            waiting.remove(row)
            if not waiting:
                del self._waiting[pair]

    def _let_go(self, exchange: Exchange) -> None:
        if exchange.row:
            self._body_bytes -= exchange.kept_bytes
            exchange.let_go()


def _pair(exchange: Exchange, method: str) -> tuple[bytes | None, bytes, bytes | None, str]:
    """What a preflight and its call have in common."""
    request = exchange.request
    return exchange.value(b"origin"), request.target, request.client.encode("latin-1"), method
