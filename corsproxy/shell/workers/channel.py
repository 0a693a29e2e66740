"""Questions from the supervisor to a worker, and the worker's answers.

One JSON array per line, over a pair of connected sockets. Questions are answered in order.
The end of the stream means that the process at the other end has gone.
"""

import asyncio
import json
import signal
import socket
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypedDict

if TYPE_CHECKING:
    from corsproxy.shell.feed.announcements import LineFormat


CHANNEL_VARIABLE = "CORSPROXY_WORKER_CHANNEL"
"""Names the descriptor of the worker's end. Internal; not to be set by users."""

# A terminal or a service manager signals every process; only the supervisor decides what
# a signal means.
SUPERVISORS_SIGNALS: list[signal.Signals] = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

Facts = Mapping[str, object]
"""A JSON value."""

# The file is at most 1 MiB, and JSON takes at most six characters per byte.
_LONGEST_MESSAGE = 8 * 1024 * 1024


class Order(StrEnum):
    """What a worker is asked to do."""

    BEGIN = "begin"
    """Prepare to answer requests."""
    ACCEPT = "accept"
    """Accept connections from exactly these shares of the sockets."""
    ADOPT = "adopt"
    """Decide by the policy in this content."""
    COUNT = "count"
    """Report the figures."""
    END_CONNECTIONS = "end-connections"
    """Make every response the last of its connection."""
    DRAIN = "drain"
    """Accept for some seconds more, finish what is in flight, and end."""


class WorkerSetup(TypedDict):
    """The first message to a worker."""

    shares: list[list[int]]
    """The descriptors of the listening sockets, one list per share."""
    https: list[str]
    """The endpoints among them that speak TLS."""
    file: str | None
    """The file's name; None if the upstream came from the command line."""
    content: str
    """The file's content, one character per byte."""
    instance: str
    """The suffix to the pseudonym in Via that all workers share."""
    form: "LineFormat"
    color: bool


def text_of(content: bytes) -> str:
    """Encode `content` as a string for JSON."""
    return content.decode("latin-1")


def bytes_of(text: str) -> bytes:
    """Decode a string made by `text_of`."""
    return text.encode("latin-1")


class _End:
    """One end of the channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, end: socket.socket) -> Self:
        """Take ownership of one of the sockets."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LONGEST_MESSAGE))

    def close(self) -> None:
        self._writer.close()


class Questions(_End):
    """The supervisor's end. Once it is closed, the worker drains and ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._awaited: deque[asyncio.Future[Facts]] = deque()
        self._loop = asyncio.get_running_loop()
        self._reading = asyncio.create_task(self._read())
        self.heard_at = self._loop.time()
        """When the last answer came, in the loop's time."""

    async def ask(self, order: Order, facts: Facts | None = None) -> Facts:
        """Send a question and return its answer. Raises ConnectionError if the worker has gone.

        May be cancelled; the answer is then dropped.
        """
        if self._reading.done():
            raise ConnectionResetError
        answer: asyncio.Future[Facts] = self._loop.create_future()
        self._awaited.append(answer)
        self._writer.write(_line([order, facts or {}]))
        return await answer

    async def lost(self) -> None:
        """Wait until the worker has gone."""
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                facts = json.loads(line)
                self.heard_at = self._loop.time()
                answer = self._awaited.popleft()
                if not answer.done():
                    answer.set_result(facts)
        except (ConnectionError, ValueError, IndexError):
            # It ended in the middle of a line, or is not the program that we started.
            pass
        finally:
            for answer in self._awaited:
                if not answer.done():
                    answer.set_exception(ConnectionResetError())
            self._writer.close()


class Answers(_End):
    """The worker's end: answer each `question` with `say`."""

    async def question(self) -> tuple[Order, Facts] | None:
        """Wait for the next question; None if the supervisor has gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        order, facts = json.loads(line)
        return Order(order), facts

    def say(self, facts: Facts) -> None:
        """Answer the last question."""
        self._writer.write(_line(facts))


def _line(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"
