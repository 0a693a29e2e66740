"""The heads that go in and out of the core, as frozen values.

Field lines keep their order, their repeats and their bytes. Bodies are not here: only
how each is delimited (`Framing`), because that is what the head says about them.

What every exchange makes is a class with slots and not a named tuple, of which compiled
code neither makes nor reads one quickly.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

Field = tuple[bytes, bytes]
"""One field line: its name and its value, both exactly as received or to be sent."""

Fields = Sequence[Field]
"""A field section: ordered, repeats kept."""

Boxed = tuple[bytes, ...]
"""A `Field` in code that hands many on: compiled, a pair is taken apart when it leaves a list
and made anew when it goes into one, and this is not."""


class Framing(Enum):
    """How a message's content is delimited on the wire (RFC 9112, 6)."""

    NONE = "none"  # no content follows the head
    LENGTH = "length"  # Content-Length says how many bytes follow
    CHUNKED = "chunked"  # Transfer-Encoding: chunked
    CLOSE = "close"  # responses only: until the connection closes


class RequestHead:
    """A request as the client sent it."""

    __slots__ = ("client", "fields", "is_http2", "method", "minor_version", "secure", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        fields: Fields,
        *,
        minor_version: int = 1,
        client: str = "",
        secure: bool = False,
        is_http2: bool = False,
    ) -> None:
        self.method: Final = method
        self.target: Final = target
        """The request target, byte for byte."""
        self.fields: Final = fields
        self.minor_version: Final = minor_version
        """1 for HTTP/1.1, 0 for HTTP/1.0."""
        self.client: Final = client
        """The peer's IP address; empty where there is none (a Unix socket)."""
        self.secure: Final = secure
        """Whether the client's connection to this listener is TLS."""
        self.is_http2: Final = is_http2
        """Whether it came by HTTP/2: `minor_version` is then 1, for what it can do."""

    @property
    def protocol(self) -> str:
        """The version of HTTP that the client speaks, with its name."""
        return "HTTP/2" if self.is_http2 else f"HTTP/1.{self.minor_version}"


class UpstreamRequest:
    """A request as it goes to the upstream: complete, only to be serialised and sent."""

    __slots__ = (
        "authenticates_connection",
        "fields",
        "framing",
        "method",
        "repeatable",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        fields: Fields,
        framing: Framing,
        *,
        repeatable: bool,
        upgrade: bool = False,
        authenticates_connection: bool = False,
    ) -> None:
        self.method: Final = method
        self.target: Final = target
        """Origin-form, starting with '/'."""
        self.fields: Final = fields
        """Every field line, `Host` and the framing fields included; the last word."""
        self.framing: Final = framing
        """NONE, LENGTH or CHUNKED: how the body must be written after the head."""
        self.repeatable: Final = repeatable
        """Safe to send again when a kept-alive connection died before a byte of the answer:
        an idempotent method (RFC 9110, 9.2.2) without content."""
        self.upgrade: Final = upgrade
        """Whether it asks to switch protocols; a 101 is then a valid answer."""
        self.authenticates_connection: Final = authenticates_connection
        """Whether it logs a user in on its connection, which must then carry no other user's
        requests."""


class ResponseHead(NamedTuple):
    """A response's status line and field section, from the upstream or to the client."""

    status: int
    reason: bytes
    fields: Fields


class UpstreamHead:
    """A final response head as the upstream sent it."""

    __slots__ = ("authenticates_connection", "fields", "framing", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: bytes,
        fields: Fields,
        framing: Framing,
        authenticates_connection: bool = False,
    ) -> None:
        self.status: Final = status
        self.reason: Final = reason
        self.fields: Final = fields
        self.framing: Final = framing
        """How its content is delimited, from the upstream's own framing fields and the
        request's method (NONE for HEAD, 204 and 304)."""
        self.authenticates_connection: Final = authenticates_connection
        """Whether it offers, or completes, a login on its connection."""


class ClientHead:
    """A response head to send to the client: complete but for `Connection` and `Date`.

    The shell adds `Connection`, because whether the connection stays open also depends
    on draining and on limits, and `Date` where there is none, because the core has no clock.
    """

    __slots__ = ("fields", "framing", "is_dated", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: bytes,
        fields: Fields,
        framing: Framing,
        is_dated: bool = False,
    ) -> None:
        self.status: Final = status
        self.reason: Final = reason
        self.fields: Final = fields
        self.framing: Final = framing
        """NONE, LENGTH, CHUNKED, or CLOSE for an HTTP/1.0 client and unknown length."""
        self.is_dated: Final = is_dated
        """Whether there is a Date in `fields`."""
