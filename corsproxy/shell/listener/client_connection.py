"""The interfaces between the server and the connections of its clients.

`http1_connection` and `http2_connection` implement `ClientConnection`.
"""

import asyncio
from typing import Protocol

from corsproxy.http1.unfinished_head import HeadBudget
from corsproxy.shell.streams.piece import ReadBuffer


class ClientConnection(Protocol):
    """What the server knows of a connection."""

    is_full: bool
    """Whether the listener is full: each of its requests is refused."""

    @property
    def is_idle(self) -> bool:
        """Whether no exchange is in progress, and none waits."""
        ...

    @property
    def in_flight(self) -> int:
        """How many exchanges are in progress."""
        ...

    @property
    def is_awaited(self) -> bool:
        """Whether an exchange is in progress that will end by itself."""
        ...

    @property
    def is_parting(self) -> bool:
        """Whether what is in progress has been told to end, and is ending."""
        ...

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is sent, and the client is expected to close."""
        ...

    @property
    def has_unsent(self) -> bool:
        """Whether some of what was written has not reached the client's machine."""
        ...

    def forget(self) -> None:
        """Keep nothing of what was decided: there is another policy."""
        ...

    def look_for_client(self) -> None:
        """Check whether the client has left while nothing is read from it."""
        ...

    def dismiss(self) -> None:
        """Send the client elsewhere, where the protocol can say so; what comes is answered."""
        ...

    def leave(self) -> None:
        """Take no more requests, where the protocol can say so; what is there is answered."""
        ...

    def hang_up(self) -> None:
        """End whatever is in progress: a WebSocket by a Close frame, an event stream by closing,
        a wait for the upstream by an answer, and anything else by a reset, so that no truncated
        response looks complete. A connection that is closing in stages is left to do so."""
        ...

    def close(self) -> None:
        """Close once everything written has been sent; read nothing more."""
        ...

    def abort(self, cause: str | None = None) -> None:
        """Drop the connection at once."""
        ...


class Listener(Protocol):
    """What a connection knows about its server."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def buffer(self) -> ReadBuffer:
        """The buffer for every read."""
        ...

    @property
    def heads(self) -> HeadBudget:
        """The budget for all heads that have not ended, and for long ones in progress."""
        ...

    def opened(self, connection: ClientConnection) -> None:
        """A connection was made. Sets its `is_full` if there is no room."""
        ...

    def closed(self, connection: ClientConnection) -> None:
        """A connection is closed, and its last exchange is over."""
        ...
