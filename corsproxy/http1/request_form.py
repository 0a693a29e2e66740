"""The head of a request as bytes, for an upstream or a proxy in front of it."""

from typing import Final

from corsproxy.core.messages import Field, UpstreamRequest
from corsproxy.http1.field_lines import serialize_fields

_VERSION: Final = b" HTTP/1.1\r\n"


class RequestForm:
    """What all requests on a connection have in common."""

    __slots__ = ("fields", "target_prefix")

    def __init__(self, target_prefix: bytes = b"", fields: tuple[Field, ...] = ()) -> None:
        self.target_prefix: Final = target_prefix
        """Turns an origin-form target into absolute-form, for a forward proxy (RFC 9112,
        3.2.2)."""
        self.fields: Final = fields

    def serialize(self, request: UpstreamRequest) -> bytes:
        """Return the head, the empty line included.

        Raises ValueError for white space in the target or a line break in a field line: the
        request would be read as two. Nothing that a client sends gets here in that form.
        """
        target = request.target
        if len(target.split()) != 1:
            raise ValueError("white space inside a request target")
        section = serialize_fields(request.fields)
        if self.fields:
            section += serialize_fields(self.fields)
        line = request.method.encode("ascii") + b" " + self.target_prefix + target
        return line + _VERSION + section + b"\r\n"
