"""The interface between the proxy and its upstreams.

`pool.UpstreamPools` is the real implementation; tests pass a fake. Bodies are passed as bytes,
with backpressure in both directions.
"""

from typing import Protocol

from corsproxy.core.messages import UpstreamHead, UpstreamRequest
from corsproxy.core.policy import Limits, Route
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.streams.seams import ByteStream, RequestBody
from corsproxy.shell.streams.upstream_timings import UpstreamTimings
from corsproxy.shell.upstream.bond import Bond


class UpstreamResponse(Protocol):
    """A response whose head has arrived and whose content is still arriving."""

    @property
    def head(self) -> UpstreamHead: ...

    @property
    def at_end(self) -> bool:
        """Whether all content has been taken and it ended properly."""
        ...

    def take(self) -> bytes:
        """Return the content that has arrived and not been taken, without waiting."""
        ...

    async def read(self, most: int = PIECE_SIZE) -> Piece:
        """Return the next content, or b"" at its proper end; waits while there is none. The result
        is only valid until the caller awaits anything. `most` limits the bytes per read.

        Raises UpstreamError: TRUNCATED if the content ends early (including a reset within content
        that is delimited by close), IDLE_TIMEOUT, MALFORMED.
        """
        ...

    def switch(self) -> ByteStream:
        """After a 101: the connection as a tunnel, first the bytes already received."""
        ...

    def abort(self) -> None:
        """Drop the connection unless the exchange is complete, in which case it may have
        gone back to the pool. Safe to call at any time, any number of times."""
        ...


class Upstream(Protocol):
    """Sends requests; returns when the final response head has arrived."""

    async def send(
        self,
        route: Route,
        request: UpstreamRequest,
        body: RequestBody | None,
        limits: Limits,
        bond: Bond | None = None,
        timings: UpstreamTimings | None = None,
    ) -> UpstreamResponse:
        """Send `request` with `body` to `route.upstream`.

        `bond` stands for the client's connection. An upstream connection on which that client
        logs in is reserved for it; without a bond it is used only once. `timings` is filled in with
        the times of the steps.

        Returns as soon as the final head has arrived, even while the body is still being sent (an
        early 413 must reach the client); the rest of the body is sent as long as the response is
        open. 1xx responses are dropped, except a 101 to an upgrade request, which is final.

        Raises UpstreamError. Cancelling the call, or `UpstreamResponse.abort`, drops the
        connection, so the upstream notices at once.
        """
        ...

    async def close(self) -> None:
        """Close every idle connection and stop every timer."""
        ...
