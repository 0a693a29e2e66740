"""A request's content, as the upstream connection pulls it.

Nothing is read ahead of the upstream but what has already been received, and the client
is held still above that. A client that asked for it is told to continue when
the upstream first pulls: by then the request has been allowed.
"""

from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.http1.response_head import CONTINUE
from corsproxy.shell.listener.connection import Connection
from corsproxy.shell.listener.content import Content
from corsproxy.shell.listener.faults import BodyRefusedError, ClientLeftError
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece


class ClientBody:
    """The `RequestBody` of one exchange."""

    __slots__ = ("_awaits_continue", "_connection", "_content", "_limit", "_timeout", "received")

    def __init__(
        self, connection: Connection, content: Content, request: RequestHead, limits: Limits
    ) -> None:
        self._connection = connection
        self._content = content
        self._timeout = limits.body_timeout
        self._limit = limits.body
        # The client may be holding its content back for a 100 (RFC 9110, 10.1.1).
        self._awaits_continue = request.minor_version > 0 and any(
            name.lower() == b"expect" for name, _ in request.fields
        )
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
        if self._connection.transport is None:
            raise ClientLeftError
        if self._awaits_continue:
            self._awaits_continue = False
            if not self._content.received and not self._content.has_arrived:
                self._connection.send(CONTINUE)
        self._connection.reading.set(self._timeout)
        data = await self._content.read(most)
        # Only now: where this wait is cancelled, the connection has set another bound already.
        self._connection.reading.clear()
        self.received += len(data)
        if self._is_too_large():
            raise BodyRefusedError(Code.BODY_TOO_LARGE)
        return data

    def _is_too_large(self) -> bool:
        return self._limit is not None and self.received > self._limit
