"""Exchanges that both ends can compute from a number: what is sent, and what must arrive."""

import hashlib
import random
import struct
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple

from corsproxy.core.messages import Field
from tests.policies import PAGE

Framing = Literal["length", "chunked", "close"]

# Fields that the proxy itself sets, in either direction.
_MANAGED = frozenset(
    {
        b"host",
        b"origin",
        b"referer",
        b"via",
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"vary",
        b"date",
        b"upgrade",
        b"x-hop",
    }
)
_MANAGED_PREFIXES = (b"x-forwarded-", b"access-control-")


def content_of(number: int, size: int) -> bytes:
    """The content that belongs to a number."""
    return random.Random(number).randbytes(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def end_to_end(fields: Iterable[Field]) -> list[Field]:
    """The field lines that must arrive unchanged, including case, order and repeats."""
    return [
        (name, value)
        for name, value in fields
        if name.lower() not in _MANAGED and not name.lower().startswith(_MANAGED_PREFIXES)
    ]


def digest_of_fields(fields: Iterable[Field]) -> str:
    """A digest of the end-to-end field lines, as either end sees them."""
    lines = [name + b": " + value for name, value in end_to_end(fields)]
    return digest(b"\r\n".join(lines))


class Request(NamedTuple):
    """A request of a client."""

    method: str
    target: str
    fields: list[Field]

    def head(self, *framing: Field) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1".encode()]
        lines += [name + b": " + value for name, value in (*self.fields, *framing)]
        return b"\r\n".join([*lines, b"", b""])


def request(method: str, target: str, number: int, *more: Field) -> Request:
    """The request with this number, with its own fields and `more`."""
    fields = [
        (b"Host", b"localhost"),
        (b"Origin", PAGE.encode()),
        (b"X-Number", b"%d" % number),
        (b"Accept", b"*/*"),
        (b"Cookie", b"session=%d; theme=dark" % number),
        (b"x-repeated", b"one"),
        (b"X-Repeated", b"two"),
        (b"X-Bytes", bytes([0xE9, 0x80, 0xFF])),
        (b"Connection", b"X-Hop"),
        (b"X-Hop", b"stops at the proxy"),
        *more,
    ]
    return Request(method, target, fields)


def response_fields(number: int, request_digest: str, content_digest: str = "") -> list[Field]:
    """The field lines of the upstream's response, except its framing."""
    return [
        (b"X-Number", b"%d" % number),
        (b"X-Request", request_digest.encode()),
        (b"X-Content", content_digest.encode()),
        (b"Set-Cookie", b"number=%d; Path=/" % number),
        (b"Set-Cookie", b"other=%d; HttpOnly" % (number * 7)),
        (b"x-bytes", b"caf\xe9"),
        (b"Access-Control-Allow-Origin", b"https://upstream.example"),
        (b"Connection", b"X-Hop"),
        (b"X-Hop", b"stops at the proxy"),
    ]


BINARY = 0x2
CLOSE = 0x8
GOING_AWAY = struct.pack(">H", 1001)


class Frame(NamedTuple):
    """A WebSocket frame that is a whole message (RFC 6455, 5.2)."""

    opcode: int
    content: bytes

    def serialized(self, *, masked: bool) -> bytes:
        """The frame's bytes. The masking key is 0, so that the content stays as it is."""
        size = len(self.content)
        if size < 126:
            length = bytes((size,))
        elif size < 65_536:
            length = struct.pack(">BH", 126, size)
        else:
            length = struct.pack(">BQ", 127, size)
        mask = 0x80 if masked else 0
        key = bytes(4) if masked else b""
        return bytes((0x80 | self.opcode, mask | length[0])) + length[1:] + key + self.content

    @classmethod
    async def read(cls, exactly: Callable[[int], Awaitable[bytes]]) -> "Frame":
        """Read a frame of the other end, with any masking key."""
        first, second = await exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await exactly(8))
        key = await exactly(4) if second & 0x80 else bytes(4)
        content = await exactly(size)
        if any(key):
            content = bytes(byte ^ key[index % 4] for index, byte in enumerate(content))
        return cls(first & 0x0F, content)
