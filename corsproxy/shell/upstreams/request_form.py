"""The head of a request as it goes on the wire, for an upstream or a proxy before it."""

from typing import NamedTuple

from corsproxy.core.fields import serialize_fields
from corsproxy.core.messages import Field, UpstreamRequest


class RequestForm(NamedTuple):
    """What the requests on a connection carry besides their own."""

    target_prefix: bytes = b""
    """Makes absolute-form of an origin-form target, as a forward proxy needs it
    (RFC 9112, 3.2.2)."""
    fields: tuple[Field, ...] = ()

    def serialize(self, request: UpstreamRequest) -> bytes:
        """Return the head, the empty line included.

        Raises ValueError where a line break is in what must be one line: the request would
        be read as two. Nothing that a client can send gets here in that shape.
        """
        target = request.target
        if target.find(b"\n") >= 0 or target.find(b"\r") >= 0:
            raise ValueError("a line break inside a request line")
        section = request.section
        if section is None:
            section = serialize_fields(request.fields)
        if self.fields:
            section += serialize_fields(self.fields)
        method = request.method.encode("ascii")
        start = (method, b" ", self.target_prefix, target, b" HTTP/1.1\r\n")
        return b"".join((*start, section, b"\r\n"))
