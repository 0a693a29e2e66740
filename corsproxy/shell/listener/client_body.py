"""A request's content, as the upstream connection pulls it.

Nothing is read ahead of the upstream but what has already been received, and the client
is held still above that. A client that asked for it is told to continue when the upstream
first pulls: by then the request has been allowed.
"""

from typing import Final, Protocol

from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.shell.listener.faults import BodyRefusedError
from corsproxy.shell.streams.body_buffer import BodyBuffer
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece


class Sender(Protocol):
    """The client, as it is waited for."""

    def await_content(self, seconds: float) -> None:
        """Content is wanted, within `seconds`: tell a client so that waits for this. Raises
        ClientLeftError."""
        ...

    def content_came(self) -> None:
        """It is no longer waited for."""
        ...


class ClientBody:
    """The `RequestBody` of one exchange."""

    __slots__ = ("_content", "_limit", "_sender", "_timeout", "received")

    def __init__(self, sender: Sender, content: BodyBuffer, limits: Limits) -> None:
        self._sender: Final = sender
        self._content: Final = content
        self._timeout: Final = limits.body_timeout
        self._limit: Final = limits.body
        self.received = 0

    @property
    def at_end(self) -> bool:
        # Where `read` has still something to raise, nothing is at its end.
        return self._content.at_end and not self._is_too_large()

    def take(self) -> bytes:
        """Return what has arrived; what is wrong with it, `read` will tell."""
        if self._content.failure is not None:
            return b""
        data = self._content.take()
        self.received += len(data)
        return b"" if self._is_too_large() else data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next bytes, or b"" at the end, as `RequestBody.read`.

        Raises ClientLeftError, and BodyRefusedError where the content stalls for
        `limits.body_timeout`, exceeds `limits.body` or breaks its framing.
        """
        if self._is_too_large():
            raise BodyRefusedError(Code.BODY_TOO_LARGE)
        self._sender.await_content(self._timeout)
        data = await self._content.read(most)
        # Only now: where this wait is cancelled, the connection has set another bound already.
        self._sender.content_came()
        self.received += len(data)
        if self._is_too_large():
            raise BodyRefusedError(Code.BODY_TOO_LARGE)
        return data

    def _is_too_large(self) -> bool:
        return self._limit is not None and self.received > self._limit
