"""The heads that go in and out of the core, as frozen values.

Field lines keep their order, their repeats and their bytes. Bodies are not here: only
how each is delimited (`Framing`), because that is what the head says about them.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

Field = tuple[bytes, bytes]
"""One field line: its name and its value, both exactly as received or to be sent."""

Fields = Sequence[Field]
"""A field section: ordered, repeats kept."""


class Framing(Enum):
    """How a message's content is delimited on the wire (RFC 9112, 6)."""

    NONE = "none"  # no content follows the head
    LENGTH = "length"  # Content-Length says how many bytes follow
    CHUNKED = "chunked"  # Transfer-Encoding: chunked
    CLOSE = "close"  # responses only: until the connection closes


class RequestHead(NamedTuple):
    """A request as the client sent it."""

    method: str
    target: bytes
    """The request target, byte for byte."""
    fields: Fields
    minor_version: int = 1
    """1 for HTTP/1.1, 0 for HTTP/1.0."""
    client: str = ""
    """The peer's IP address; empty where there is none (a Unix socket)."""
    secure: bool = False
    """Whether the client's connection to this listener is TLS."""


class UpstreamRequest(NamedTuple):
    """A request as it goes to the upstream: complete, only to be serialised and sent."""

    method: str
    target: bytes
    """Origin-form, starting with '/'."""
    fields: Fields
    """Every field line, `Host` and the framing fields included; the last word."""
    framing: Framing
    """NONE, LENGTH or CHUNKED: how the body must be written after the head."""
    repeatable: bool
    """Safe to send again when a kept-alive connection died before a byte of the answer:
    an idempotent method (RFC 9110, 9.2.2) without content."""
    upgrade: bool = False
    """Whether it asks to switch protocols; a 101 is then a valid answer."""


class ResponseHead(NamedTuple):
    """A response's status line and field section, from the upstream or to the client."""

    status: int
    reason: bytes
    fields: Fields


class UpstreamHead(NamedTuple):
    """A final response head as the upstream sent it."""

    status: int
    reason: bytes
    fields: Fields
    framing: Framing
    """How its content is delimited, from the upstream's own framing fields and the
    request's method (NONE for HEAD, 204 and 304)."""


class ClientHead(NamedTuple):
    """A response head to send to the client: complete but for `Connection` and `Date`.

    The shell adds `Connection`, because whether the connection stays open also depends
    on draining and on limits, and `Date`, because the core has no clock.
    """

    status: int
    reason: bytes
    fields: Fields
    framing: Framing
    """NONE, LENGTH, CHUNKED, or CLOSE for an HTTP/1.0 client and unknown length."""
