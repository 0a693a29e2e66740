"""What a client's bytes mean, as events for the connection."""

from typing import NamedTuple

from corsproxy.http2.request_fields import RequestFields


class RequestArrived(NamedTuple):
    """A request that is well-formed; its content follows, if it has any."""

    stream: int
    request: RequestFields
    is_too_large: bool
    """Whether its field section is larger than it may be; what fits is there."""
    has_ended: bool


class ContentArrived(NamedTuple):
    """More of a request's content."""

    stream: int
    data: bytes


class ContentEnded(NamedTuple):
    """All of a request's content is there."""

    stream: int


class StreamEnded(NamedTuple):
    """The answer is no longer wanted: the client has cancelled the request, or broken it."""

    stream: int
    is_by_client: bool


class WindowOpened(NamedTuple):
    """More may be sent: on one stream, or on all of them (0)."""

    stream: int


Event = RequestArrived | ContentArrived | ContentEnded | StreamEnded | WindowOpened
