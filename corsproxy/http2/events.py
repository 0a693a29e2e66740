"""The events that a client's bytes cause."""

from typing import NamedTuple

from corsproxy.http2.request_fields import RequestFields


class RequestArrived(NamedTuple):
    """A well-formed request; its content follows, if it has any."""

    stream: int
    request: RequestFields
    is_too_large: bool
    """Whether its field section exceeds the limit; the fields that fit are included."""
    has_ended: bool


class ContentArrived(NamedTuple):
    """More of a request's content."""

    stream: int
    data: bytes


class ContentEnded(NamedTuple):
    """The request's content is complete."""

    stream: int


class StreamEnded(NamedTuple):
    """The response is no longer wanted: the client cancelled the request, or broke its stream."""

    stream: int


class WindowOpened(NamedTuple):
    """More may be sent: on one stream, or on all of them (0)."""

    stream: int


Event = RequestArrived | ContentArrived | ContentEnded | StreamEnded | WindowOpened
