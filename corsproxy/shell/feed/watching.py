"""Hooks for watching exchanges as they happen, for the inspector. Without one they are free.

    Observer.begins(request, policy, decision, ...) -> Watch or None, for each exchange
    Watch: response_begins, request_content, response_content, ..., over

The methods are called while the proxy works: they must not raise, and must not block. Pieces are
lent: an observer that needs them after the call must copy them.
"""

from corsproxy.core.decision import Decision
from corsproxy.core.messages import ClientHead, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.streams.seams import ByteStream, RequestBody
from corsproxy.shell.streams.upstream_timings import UpstreamTimings
from corsproxy.shell.system.compiling import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Watch(UpstreamTimings):
    """One exchange as its observer sees it. The upstream connection sets its timings."""

    __slots__ = ()

    def response_begins(
        self, head: ClientHead, first: bytes, came: UpstreamHead | None, waited: float
    ) -> None:
        """The client was sent `head`, and `first` of the content.

        `came` is the upstream's head, which arrived `waited` seconds after the exchange began;
        None if the response is the proxy's own.
        """

    def request_content(self, piece: Piece) -> None:
        """Content taken by the upstream; after a 101, bytes to the upstream."""

    def response_content(self, piece: Piece) -> None:
        """More content sent to the client; after a 101, bytes to the client."""

    def over(self, record: ExchangeRecord) -> None:
        """The exchange is over."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Observer:
    """Sees exchanges as they happen."""

    __slots__ = ()

    def begins(
        self, request: RequestHead, policy: Policy, decision: Decision, clock: float
    ) -> Watch | None:
        """Begin to watch an exchange; None if this one is not watched. The core has decided, but
        nothing has been done yet. `clock` is when it began, by `time.perf_counter`."""
        return None


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
