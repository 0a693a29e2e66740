"""Plain request heads, read in one pass.

Most heads are plain, and a parser that calls back for each field takes several times as long.
A plain head is well-formed for `head_parser` too, and means the same. Every other head,
well-formed or not, is left to `head_parser`.

A plain head has HTTP/1.1, a common method and an absolute path of common characters; only plain
lines (see `plain_lines`); one Host, and no field twice that may come only once; no transfer
coding, upgrade or expectation; a Content-Length, if any, below 10^18 (RFC 9110, 8.6); a
Connection, if any, that says `keep-alive` or `close` and nothing else (RFC 9112, 9.3).
"""

from typing import TYPE_CHECKING, Final, cast

from corsproxy.core.messages import Boxed, Fields, RequestHead
from corsproxy.http1.plain_lines import (
    CR,
    LF,
    OTHER,
    UNUSUAL,
    PlainLines,
    number,
    roles_of,
)
from corsproxy.http1.request_message import RequestMessage

if TYPE_CHECKING:
    # For the compiler; nothing looks for it at run time.
    from mypy_extensions import i64

# Bits, so that it is easy to see whether a field with a role comes twice.
_HOST: Final = 1
_LENGTH: Final = 2
_CONNECTION: Final = 4

_ROLES: Final = roles_of(
    {
        b"connection": _CONNECTION,
        b"content-length": _LENGTH,
        b"host": _HOST,
        # Refused if they come twice.
        b"content-type": 8,
        b"user-agent": 16,
        b"content-location": UNUSUAL,
        b"content-range": UNUSUAL,
        b"etag": UNUSUAL,
        b"max-forwards": UNUSUAL,
        b"server": UNUSUAL,
        # What the parser interprets itself, and what it refuses.
        b"expect": UNUSUAL,
        b"proxy-connection": UNUSUAL,
        b"sec-websocket-key1": UNUSUAL,
        b"trailer": UNUSUAL,
        b"transfer-encoding": UNUSUAL,
        b"upgrade": UNUSUAL,
    }
)

_METHODS: Final[dict[bytes, str]] = {
    b"DELETE": "DELETE",
    b"GET": "GET",
    b"HEAD": "HEAD",
    b"OPTIONS": "OPTIONS",
    b"PATCH": "PATCH",
    b"POST": "POST",
    b"PUT": "PUT",
}
_LONGEST_METHOD: Final = 7
_SLASH: Final = 0x2F
_ZERO: Final = 0x30
# The characters of an absolute path with its query (RFC 3986, 3.3 and 3.4).
_IN_PATH: Final = bytes(
    byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@%/?"
    for byte in range(256)
)
_VERSION: Final = b" HTTP/1.1\r\n"

# An idle connection keeps twice this much in memory for the last field section.
_LONGEST_SECTION: Final = 4 * 1024


class PlainHeadReader:
    """Reads the plain heads of one connection."""

    __slots__ = (
        "_before", "_client", "_closes", "_fields", "_last", "_lines", "_method", "_section",
        "_secure", "end",
    )  # fmt: skip

    def __init__(self, client: str, secure: bool) -> None:
        """`client` and `secure` describe the connection, as in `RequestHead`."""
        self.end = 0
        """Where the last head ends in its data."""
        self._client: Final = client
        self._secure: Final = secure
        self._lines: Final = PlainLines(_ROLES)
        self._method = "GET"
        """The last method, and what a head with it begins with."""
        self._before = b"GET "
        self._section = b""
        """The last field section that was short and announced no content, empty line
        included."""
        self._fields: Fields = ()
        """What was read in it; the same object for as long as the section is the same."""
        self._closes = False
        self._last: RequestMessage | None = None
        """The last request with this section and this method."""

    def read(self, data: bytes, begin: "i64") -> RequestMessage | None:
        """Return the request whose head begins at `begin`, and set `end` to where it ends.

        None if the parser has to decide: the head is not plain, or has not arrived whole.
        """
        before = self._before
        start: i64 = begin + len(before)
        if data[begin:start] != before:
            start = self._read_method(data, begin)
            if start < 0:
                return None
        # Behind a line that ends before this there are at least four bytes: CRLF and two more.
        bound: i64 = len(data) - 3
        at = _end_of_path(data, start, bound)
        target = data[start:at]
        start = at + len(_VERSION)
        if not target or data[at:start] != _VERSION or start > bound + 1:
            return None
        section = self._section
        at = start + len(section)
        if section and data[start:at] == section:
            self.end = at
            return self._remembered(target)
        return self._read_section(target, data, start, bound)

    def _read_method(self, data: bytes, begin: "i64") -> "i64":
        """Read a method that is not the last one; return where it ends, negative if it is not
        a common one."""
        end = data.find(b" ", begin, begin + _LONGEST_METHOD + 1)
        method = _METHODS.get(data[begin:end]) if end > 0 else None
        if method is None:
            return -1
        self._method = method
        self._last = None
        self._before = data[begin : end + 1]
        return end + 1

    def _read_section(
        self, target: bytes, data: bytes, start: "i64", bound: "i64"
    ) -> RequestMessage | None:
        """Read a field section that is not the last one."""
        section_start = start
        lines: list[Boxed] = []
        seen, length, closes = 0, -1, False
        while data[start] != CR:
            said = self._lines.read(len(lines), data, start, bound)
            if said is None:
                return None
            field = said.field
            role = said.role
            if role != OTHER:
                if seen & role:
                    return None
                seen |= role
                if role == _LENGTH:
                    length = number(field[1])
                    # The parser removes leading zeros.
                    if length < 0 or (field[1][0] == _ZERO and len(field[1]) > 1):
                        return None
                elif role == _CONNECTION:
                    option = field[1].lower()
                    closes = option == b"close"
                    if not closes and option != b"keep-alive":
                        return None
            lines.append(field)
            start += len(said.line) + 2
        if data[start + 1] != LF or not seen & _HOST:
            return None
        start += 2
        self.end = start
        fields = cast("Fields", tuple(lines))
        if length > 0 or start - section_start > _LONGEST_SECTION:
            head = self._head(target, fields)
            return RequestMessage(head, should_close=closes, length=length if length > 0 else None)
        self._section = data[section_start:start]
        self._fields = fields
        self._closes = closes
        self._last = None
        return self._remembered(target)

    def _remembered(self, target: bytes) -> RequestMessage:
        """Return the request with the remembered field section: the same object as before for
        the same target."""
        last = self._last
        if last is None or last.head.target != target:
            head = self._head(target, self._fields)
            self._last = last = RequestMessage(head, should_close=self._closes)
        return last

    def _head(self, target: bytes, fields: Fields) -> RequestHead:
        return RequestHead(self._method, target, fields, client=self._client, secure=self._secure)


def _end_of_path(data: bytes, start: "i64", bound: "i64") -> "i64":
    """Return where the absolute path at `start` ends, before `bound`; `start` if there is
    none."""
    if start >= bound or data[start] != _SLASH:
        return start
    for at in range(start, bound):
        if not _IN_PATH[data[at]]:
            return at
    return start
