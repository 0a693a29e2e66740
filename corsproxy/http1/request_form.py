"""The head of a request as it goes on the wire, for an upstream or a proxy before it."""

from typing import Final

from corsproxy.core.fields import serialize_fields
from corsproxy.core.messages import Field, UpstreamRequest

_VERSION: Final = b" HTTP/1.1\r\n"


class RequestForm:
    """What the requests on a connection carry besides their own."""

    __slots__ = ("fields", "target_prefix")

    def __init__(self, target_prefix: bytes = b"", fields: tuple[Field, ...] = ()) -> None:
        self.target_prefix: Final = target_prefix
        """Makes absolute-form of an origin-form target, as a forward proxy needs it
        (RFC 9112, 3.2.2)."""
        self.fields: Final = fields

    def serialize(self, request: UpstreamRequest) -> bytes:
        """Return the head, the empty line included.

        Raises ValueError where a line break is in what must be one line: the request would
        be read as two. Nothing that a client can send gets here in that shape.
        """
        target = request.target
        if len(target.split()) != 1:
            raise ValueError("white space inside a request target")
        section = request.section
        if section is None:
            section = serialize_fields(request.fields)
        if self.fields:
            section += serialize_fields(self.fields)
        line = request.method.encode("ascii") + b" " + self.target_prefix + target
        return line + _VERSION + section + b"\r\n"
