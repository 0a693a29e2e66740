"""A request whose head has been read: what is asked, and what it means for its connection."""

from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp.http_writer import HttpVersion
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from corsproxy.core.messages import RequestHead
from corsproxy.core.precedent import Precedent


class ParsedMessage(Protocol):
    """What is read of an `aiohttp.http_parser.RawRequestMessage`.

    Its own class is declared as a tuple and is none, which compiled code finds out. So what
    is read of it is named here.
    """

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """The request target; bytes outside of UTF-8 as surrogate escapes."""
        ...

    @property
    def version(self) -> HttpVersion: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by name, whatever its case."""
        ...

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The field lines: names and values as they were received."""
        ...

    @property
    def should_close(self) -> bool:
        """Whether the client wants the connection to end behind the answer."""
        ...

    @property
    def upgrade(self) -> bool:
        """Whether it asks to switch protocols."""
        ...


class RequestMessage:
    """One request as its connection has it."""

    __slots__ = ("expects", "head", "is_known", "length", "precedent", "should_close", "upgrade")

    def __init__(
        self,
        head: RequestHead,
        is_known: bool = True,
        should_close: bool = False,
        upgrade: bool = False,
        expects: bool = False,
        length: int | None = None,
        precedent: Precedent | None = None,
    ) -> None:
        self.head: Final = head
        self.is_known: Final = is_known
        """Whether it is HTTP/1.1 or HTTP/1.0."""
        self.should_close: Final = should_close
        """Whether the client wants the connection to end behind the answer."""
        self.upgrade: Final = upgrade
        """Whether it asks to switch protocols."""
        self.expects: Final = expects
        """Whether the client waits for 100 Continue before it sends content."""
        self.length: Final = length
        """Content-Length in bytes; None where there is no content, or it is chunked."""
        self.precedent: Final = precedent
        """What was decided about others that it repeats but for the target."""


def read_message(
    parsed: ParsedMessage, payload: StreamReader, client: str, secure: bool
) -> RequestMessage:
    """Return the message that the parser has found, with its content in `payload`; `client`
    and `secure` say of its connection what `RequestHead` wants to know."""
    version = parsed.version
    is_known = version.major == 1 and version.minor <= 1
    head = RequestHead(
        parsed.method,
        parsed.path.encode("utf-8", "surrogateescape"),
        parsed.raw_headers,
        version.minor if is_known else 1,
        client,
        secure,
    )
    if payload is EMPTY_PAYLOAD:
        return RequestMessage(head, is_known, parsed.should_close, parsed.upgrade)
    headers = parsed.headers
    length = None if "Transfer-Encoding" in headers else headers.get("Content-Length")
    return RequestMessage(
        head,
        is_known,
        parsed.should_close,
        parsed.upgrade,
        "Expect" in headers,
        None if length is None else int(length),
    )
