"""A request's field section: whether it is well-formed (RFC 9113, 8.2 and 8.3), and its
translation to an HTTP/1.1 request line and fields.

Everything here may become a line of HTTP/1.1. So the grammar is that of RFC 9112, not that of a
field block: a space in a path, or a line break in a value, would begin another request.
"""

import re
from typing import Final, NamedTuple

from corsproxy.core.messages import Field, Fields

TRANSFER_CHUNKED: Final[Field] = (b"Transfer-Encoding", b"chunked")
"""The field that announces content of unknown length."""

_MOST_PSEUDO: Final = 4
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
# RFC 9112, 3.2.1: the octets of an absolute path with query in a request line.
_PATH: Final = re.compile(rb"/[!-~]*")
# RFC 9110, 4.2.3 and 7.2: no userinfo, and nothing that would end an authority.
_AUTHORITY: Final = re.compile(rb"[A-Za-z0-9.\-_~!$&'()*+;=%:\[\]]+")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
# Recipients may take either the first or the last of these.
_ONLY_ONCE: Final = frozenset(
    {
        b"content-length", b"content-location", b"content-range", b"content-type", b"etag",
        b"host", b"max-forwards", b"server", b"user-agent",
    }
)  # fmt: skip
# RFC 9113, 8.2.2: fields about the connection.
_OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class MalformedRequestError(ValueError):
    """A request that is not well-formed; the message says why."""


class RequestFields(NamedTuple):
    """A request in the terms of HTTP/1.1."""

    method: str
    target: bytes
    fields: Fields
    length: int | None
    """Announced bytes of content; None if not announced."""


def read_request(fields: list[Field], *, has_ended: bool) -> RequestFields:
    """Return a well-formed request; `has_ended` if no content follows.

    Raises MalformedRequestError.
    """
    pseudo, regular = _split(fields)
    method = pseudo.get(b":method")
    if method is None or not _TOKEN.fullmatch(method):
        raise MalformedRequestError(":method is missing, or no token")
    host, regular, length = _regular(regular)
    authority = pseudo.get(b":authority", host)
    if authority is None or not _AUTHORITY.fullmatch(authority):
        raise MalformedRequestError(":authority is missing, or not a host with its port")
    if host is not None and host != authority:
        raise MalformedRequestError(":authority and host differ")
    if has_ended and length:
        raise MalformedRequestError("content-length without content")
    lines = [(b"Host", authority), *regular]
    if not has_ended and length is None:
        lines.append(TRANSFER_CHUNKED)
    target = _target(pseudo, method, authority)
    return RequestFields(method.decode("ascii"), target, tuple(lines), length)


class RequestReader:
    """Reads the requests of one connection, which mostly differ only in their paths."""

    def __init__(self) -> None:
        self._fields: list[Field] = []
        self._at = -1  # the index of the path among them
        self._has_ended = False
        self._read: RequestFields | None = None

    def read(self, fields: list[Field], *, has_ended: bool) -> RequestFields:
        """Do the same as `read_request`. Requests that differ only in their path share the same
        object in `fields`."""
        at, read = self._at, self._read
        if (
            read is not None
            and has_ended == self._has_ended
            and len(fields) == len(self._fields)
            and fields[at][0] == b":path"
            and _PATH.fullmatch(fields[at][1])
            and fields[:at] == self._fields[:at]
            and fields[at + 1 :] == self._fields[at + 1 :]
        ):
            return read._replace(target=fields[at][1])
        self._read = None
        request = read_request(fields, has_ended=has_ended)
        names = [name for name, _ in fields[:_MOST_PSEUDO]]
        if b":path" in names:
            self._fields, self._at, self._has_ended = fields, names.index(b":path"), has_ended
            self._read = request
        return request


def check_trailers(fields: list[Field]) -> None:
    """Raise MalformedRequestError for malformed trailers. Trailers are not passed on."""
    for name, value in fields:
        if name in _OF_CONNECTIONS or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise MalformedRequestError("a malformed trailer")


def _split(fields: list[Field]) -> tuple[dict[bytes, bytes], list[Field]]:
    """Separate the pseudo-header fields, which come first, each once, from the others."""
    pseudo: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name.startswith(b":"):
            break
        if name not in _PSEUDO or name in pseudo:
            raise MalformedRequestError("a pseudo-header field that is unknown, or repeated")
        pseudo[name] = value
    return pseudo, fields[len(pseudo) :]


def _target(pseudo: dict[bytes, bytes], method: bytes, authority: bytes) -> bytes:
    scheme, path = pseudo.get(b":scheme"), pseudo.get(b":path")
    if method == b"CONNECT":
        if scheme is not None or path is not None or b":authority" not in pseudo:
            raise MalformedRequestError("CONNECT with :scheme or :path")
        return authority
    if scheme not in (b"https", b"http"):
        raise MalformedRequestError(":scheme is missing, or neither https nor http")
    if path is None or not (_PATH.fullmatch(path) or (path == b"*" and method == b"OPTIONS")):
        raise MalformedRequestError(":path is missing, or no absolute path")
    return path


def _regular(fields: list[Field]) -> tuple[bytes | None, list[Field], int | None]:
    """Return the Host, the other fields with their cookies joined, and the length."""
    host, length = None, None
    lines: list[Field] = []
    crumbs: list[bytes] = []
    seen: set[bytes] = set()
    for field in fields:
        name, value = field
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise MalformedRequestError("a field that HTTP/1.1 could not carry")
        if name in _OF_CONNECTIONS or (name == b"te" and value.lower() != b"trailers"):
            raise MalformedRequestError("a field about the connection")
        if name in _ONLY_ONCE:
            if name in seen:
                raise MalformedRequestError("a field that is repeated")
            seen.add(name)
        if name == b"host":
            host = value
        elif name == b"cookie":
            crumbs.append(value)
        elif name == b"content-length":
            if not _DIGITS.fullmatch(value):
                raise MalformedRequestError("content-length is not a number")
            length = int(value)
            lines.append((name, b"%d" % length))
        else:
            lines.append(field)
    if crumbs:
        # RFC 9113, 8.2.3.
        lines.append((b"cookie", b"; ".join(crumbs)))
    return host, lines, length
