"""A client's connection as the server and the exchanges on it know each other.

`http1_connection` is one; a connection of another protocol is its sibling, not its child.
"""

import asyncio
from typing import Protocol

from corsproxy.http1.unfinished_head import HeadBudget
from corsproxy.shell.streams.piece import ReadBuffer


class ClientConnection(Protocol):
    """What the server knows of a connection."""

    is_full: bool
    """Whether the listener had no room for it: each of its requests is refused."""

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
        """Whether an exchange is in progress that will come to an end by itself."""
        ...

    @property
    def is_parting(self) -> bool:
        """Whether what is in progress has been told to end, and does."""
        ...

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is sent, and only the client's end is waited for."""
        ...

    def look_for_client(self) -> None:
        """Notice that the client has left an exchange while it is held still."""
        ...

    def dismiss(self) -> None:
        """Send the client elsewhere, where the protocol can say so; what comes is answered."""
        ...

    def leave(self) -> None:
        """Take no more requests, where the protocol can say so; what is there is answered."""
        ...

    def hang_up(self) -> None:
        """End whatever is in progress: what can be told so by being told, a stream by closing,
        what waits for the upstream by an answer, all else by a reset, so that no cut response
        can pass for complete. What is ended in stages already is left to its client."""
        ...

    def close(self) -> None:
        """Close once what is written has gone out; read nothing more."""
        ...

    def abort(self, cause: str | None = None) -> None:
        """Drop the connection at once."""
        ...


class Listener(Protocol):
    """What a connection knows of the server that it belongs to."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def buffer(self) -> ReadBuffer:
        """What takes every read."""
        ...

    @property
    def heads(self) -> HeadBudget:
        """What all unfinished heads may take."""
        ...

    def opened(self, connection: ClientConnection) -> None:
        """It is there; says itself where there is no room for it, by `is_full`."""
        ...

    def closed(self, connection: ClientConnection) -> None:
        """It is gone."""
        ...
