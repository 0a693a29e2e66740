"""Hooks for watching exchanges as they happen, for the inspector. Without one they are free.

    Observer.begins(request, policy) -> Watch or None, for each exchange
    Watch: decided, upstream_head, request_content, response_content, ..., ended

The methods are called while the proxy works: they must not raise, and must not block. Pieces are
lent: an observer that needs them after the call must copy them.
"""

from typing import Protocol

from corsproxy.core.decision import Decision
from corsproxy.core.messages import ClientHead, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.streams.seams import ByteStream, Marks, RequestBody


class Watch(Protocol):
    """One exchange as its observer sees it."""

    marks: Marks
    """The times of the steps towards the upstream; set by the upstream connection."""

    def decided(self, decision: Decision) -> None:
        """The core has decided; nothing has been done yet."""
        ...

    def upstream_head(self, head: UpstreamHead) -> None:
        """The upstream has answered, perhaps with a 101."""
        ...

    def response_head(self, head: ClientHead) -> None:
        """The head sent to the client."""
        ...

    def request_content(self, piece: Piece) -> None:
        """Content taken by the upstream; after a 101, bytes to the upstream."""
        ...

    def response_content(self, piece: Piece) -> None:
        """Content sent to the client; after a 101, bytes to the client."""
        ...

    def ended(self, record: ExchangeRecord) -> None:
        """The exchange is over."""
        ...


class Observer(Protocol):
    """Sees exchanges as they happen."""

    def begins(self, request: RequestHead, policy: Policy) -> Watch | None:
        """Begin to watch an exchange; None if this one is not watched."""
        ...


class WatchedBody:
    """A `RequestBody` with an observer."""

    def __init__(self, body: RequestBody, watch: Watch) -> None:
        self._body = body
        self._watch = watch

    @property
    def at_end(self) -> bool:
        return self._body.at_end

    def take(self) -> bytes:
        data = self._body.take()
        if data:
            self._watch.request_content(data)
        return data

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        piece = await self._body.read(most)
        if piece:
            self._watch.request_content(piece)
        return piece


class WatchedStream:
    """The client's `ByteStream` of a tunnel, with an observer."""

    def __init__(self, stream: ByteStream, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    async def read(self) -> bytes:
        data = await self._stream.read()
        if data:
            self._watch.request_content(data)
        return data

    async def write(self, data: bytes) -> None:
        self._watch.response_content(data)
        await self._stream.write(data)

    def push(self, data: bytes) -> None:
        self._watch.response_content(data)
        self._stream.push(data)

    def write_eof(self) -> None:
        self._stream.write_eof()

    def abort(self) -> None:
        self._stream.abort()
