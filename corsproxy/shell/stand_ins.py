"""What takes the place of aiohttp's own objects where it asks for one.

Of a request, aiohttp 3.14's `RequestHandler` calls `_finish` and `_cancel` and sets
`_task`; of a response, it calls `prepare` and `write_eof` and reads `keep_alive`.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp.web import BaseRequest

from corsproxy.shell.faults import ClientLeftError
from corsproxy.shell.intake import Intake


class TunnelParser:
    """Stands in for the parser of a connection that has switched protocols."""

    __slots__ = ("_intake",)

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what has arrived; it is never the end, and never too much."""
        self._intake.put(data)
        return False, b""

    def feed_eof(self) -> None:
        """The connection is lost."""
        self._intake.fail(ClientLeftError())


class RequestAndResponse:
    """Stands in for the request that goes to a handler, and for the response that comes
    out of it once all has been written."""

    __slots__ = ("_task", "keep_alive")

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self.keep_alive = False
        """Whether another request may follow on the connection."""

    def _finish(self) -> None:
        """The handler has returned."""

    def _cancel(self, exc: BaseException) -> None:
        """The connection is lost; whoever waits is cancelled with its task."""

    async def prepare(self, request: BaseRequest) -> None:
        """The head has been sent."""

    async def write_eof(self) -> None:
        """The content has been sent."""


class SentResponse:
    """Stands in for a response that has been written already, and ends its connection."""

    __slots__ = ("_ended",)

    keep_alive = False

    def __init__(self, ended: Callable[[], Awaitable[None]]) -> None:
        """`ended` waits for the end of the connection."""
        self._ended = ended

    async def prepare(self, request: BaseRequest) -> None:
        """Wait until the client has had time to read it."""
        await self._ended()

    async def write_eof(self) -> None:
        """The content has been sent."""
