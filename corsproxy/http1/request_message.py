"""A request whose head has been read, and what it means for its connection."""

from typing import Final

from corsproxy.core.messages import RequestHead


class RequestMessage:
    """One request, as its connection sees it."""

    __slots__ = (
        "expects",
        "head",
        "is_chunked",
        "is_known",
        "length",
        "should_close",
        "upgrade",
    )

    def __init__(
        self,
        head: RequestHead,
        is_known: bool = True,
        should_close: bool = False,
        upgrade: bool = False,
        expects: bool = False,
        length: int | None = None,
        is_chunked: bool = False,
    ) -> None:
        self.head: Final = head
        self.is_known: Final = is_known
        """Whether it is HTTP/1.1 or HTTP/1.0."""
        self.should_close: Final = should_close
        """Whether the client wants the connection closed after the response."""
        self.upgrade: Final = upgrade
        """Whether it asks to switch protocols."""
        self.expects: Final = expects
        """Whether the client waits for 100 Continue before it sends content."""
        self.length: Final = length
        """Content-Length in bytes; None if there is no content, or it is chunked."""
        self.is_chunked: Final = is_chunked
        """Whether its content is in the chunked transfer coding."""
