"""The one seam between an exchange and its client, however the client came in.

`Exchange` asks the core and obeys; it speaks to the client by this class alone, and knows of no
protocol. Framing, persistence, flow control and the writing of heads are behind it: HTTP/1.1 in
`http1_exchange`, HTTP/2 and aiohttp in modules of their own.

Calls come in this order: `body` at most once; then `send_head`, `send_body` any number of times
and `finish`, or `send_head` and `switch`; or `abort` at any time, which ends it. Writing never
waits: if `is_writing_paused`, await `drained` before writing more.
"""

from abc import ABC, abstractmethod
from typing import Final

from corsproxy.core.messages import ClientHead, RequestHead
from corsproxy.core.policy import Limits
from corsproxy.core.verdicts import Code
from corsproxy.shell.streams.piece import PIECE_SIZE, Piece
from corsproxy.shell.streams.seams import ByteStream, RequestBody
from corsproxy.shell.system.compiling import mypyc_attr
from corsproxy.shell.upstream.bond import Bond


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientExchange(ABC):
    """One request of a client, and the way back."""

    __slots__ = ("bond", "head", "length", "refusal")

    def __init__(
        self,
        head: RequestHead,
        bond: Bond,
        length: int | None = None,
        refusal: Code | None = None,
    ) -> None:
        self.head: Final = head
        """The request. Content whose length is not known has `Transfer-Encoding: chunked` in the
        fields, whatever the protocol: the core reads from them how it is to be framed."""
        self.bond: Final = bond
        """The client's connection as upstreams know it."""
        self.length: Final = length
        """Bytes of content; None where there is none, or its length is not known."""
        self.refusal: Final = refusal
        """Why the request is refused before anything else is asked, such as CONNECTIONS_FULL."""

    # The request's content.

    @abstractmethod
    def body(self, limits: Limits) -> RequestBody:
        """Return the content for the upstream to pull, within `limits`: its `read` raises
        BodyRefusedError and ClientLeftError. Until it is pulled, the client is not told to
        continue."""

    @property
    @abstractmethod
    def received(self) -> int:
        """Bytes of content, or of the client's side of a tunnel, that were taken so far."""

    @property
    @abstractmethod
    def broken(self) -> Code | None:
        """What is wrong with the content that came with the head; None where nothing is."""

    # The response.

    @abstractmethod
    def send_head(
        self, head: ClientHead, content: bytes = b"", *, is_all: bool, close: bool = False
    ) -> None:
        """Send the head, and what is there of the content; `is_all` says that this is the end.

        `close` wants the connection to end behind the response, where the protocol can. Of
        `head`, the field lines of HTTP/1.1 framing are there; other protocols leave them out.
        Raises ClientLeftError.
        """

    @property
    @abstractmethod
    def sent(self) -> int:
        """Bytes written to the client so far, heads and tunnel included."""

    @abstractmethod
    def send_body(self, piece: Piece) -> None:
        """Send more of the content; `piece`, which may be lent, is not used after the call.
        Raises ClientLeftError."""

    @abstractmethod
    def finish(self) -> None:
        """End the content properly. Raises ClientLeftError."""

    @property
    @abstractmethod
    def is_writing_paused(self) -> bool:
        """Whether more has been written than the client takes."""

    @abstractmethod
    async def drained(self) -> None:
        """Wait while the client takes nothing more. Raises ClientLeftError, also where the
        client stalls for longer than it may."""

    def room(self, last: int) -> int:
        """Return how much is worth reading at once for the next `send_body`, where `last` bytes
        were the last that was sent."""
        return PIECE_SIZE

    @abstractmethod
    def send_bare_fault(self) -> None:
        """Say 500 and nothing else, where a bug keeps us from saying anything better; nothing
        where the client is gone."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the response short, so that it cannot pass for complete."""

    # Tunnels.

    @property
    def can_switch(self) -> bool:
        """Whether the connection can become a tunnel behind a 101."""
        return False

    def switch(self) -> ByteStream:
        """Return the connection as a tunnel, after the head of a 101."""
        raise NotImplementedError

    # The connection.

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether the client is gone."""

    @property
    @abstractmethod
    def ended_by(self) -> str | None:
        """What ended the connection, where it was not the client: "shutdown", "client-stalled"."""
