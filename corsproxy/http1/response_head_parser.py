"""The head of a response, read by llhttp: for every head that is not plain.

llhttp gets one whole head and nothing after it, without its lenient modes. Two harmless mistakes
that all browsers tolerate are corrected first: a line may end in LF alone (RFC 9112, 2.2), and
Content-Length may be repeated with the same value (RFC 9110, 8.6). Whatever is ambiguous is
refused: two ways to delimit the content, a transfer coding other than `chunked`, a version or
status that HTTP/1.1 does not have.
"""

import re
from collections.abc import Iterable
from typing import Final

import httptools

from corsproxy.core.fields import is_safe_value, split_list
from corsproxy.core.messages import Field, Framing
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault

_MINOR_VERSIONS: Final = {"1.1": 1, "1.0": 0}
_LINE_END: Final = re.compile(rb"\r?\n")
_LENGTH_LINE: Final = re.compile(rb"(?i)(content-length):[ \t]*(.*?)[ \t]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class ParsedHead:
    """What a head says. Its methods are llhttp's callbacks."""

    __slots__ = ("_llhttp", "fields", "is_whole", "minor_version", "reason", "status", "switches")

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.minor_version = 1
        self.fields: list[Field] = []
        self.switches = False
        """Whether it is a 101 that names a protocol."""
        self.is_whole = False
        self._llhttp: httptools.HttpResponseParser | None = None

    def read(self, head: bytes) -> None:
        """Read a head, its empty line included. Raises UpstreamError MALFORMED."""
        llhttp = self._llhttp = httptools.HttpResponseParser(self)
        try:
            llhttp.feed_data(_without_doubles(head))
        except httptools.HttpParserUpgrade:
            self.switches = True
        except httptools.HttpParserError as error:
            # llhttp reports a 101 that names no protocol as an error.
            if self.status != 101:
                raise malformed(str(error)) from None
        finally:
            # Breaks a reference cycle.
            self._llhttp = None
        if not self.is_whole:
            raise malformed("a head that ends before its end")
        if self.minor_version < 0 or self.status < 100:
            raise malformed("a version or a status that HTTP/1.1 does not have")
        if not is_safe_value(self.reason):
            raise malformed("control characters in the reason phrase")

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp strips white space before a value, but not after it.
        if value.endswith((b" ", b"\t")):
            value = value.rstrip(b" \t")
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        llhttp = self._llhttp
        if llhttp is not None:
            self.is_whole = True
            self.status = llhttp.get_status_code()
            self.minor_version = _MINOR_VERSIONS.get(llhttp.get_http_version(), -1)

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of the fields of that name, given in lower case."""
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def length(self) -> int | None:
        """The value of Content-Length."""
        lengths = self.values(b"content-length")
        return int(lengths[0]) if lengths else None

    def framing(self, *, answers_head: bool) -> Framing:
        """How its content is delimited (RFC 9112, 6.3), without the clause's error recovery.

        Raises UpstreamError MALFORMED.
        """
        codings = self.values(b"transfer-encoding")
        if codings:
            if self.minor_version == 0 or [coding.lower() for coding in codings] != [b"chunked"]:
                raise malformed("a transfer coding other than chunked")
            if self.length is not None:
                raise malformed("both Content-Length and Transfer-Encoding")
        if answers_head or self.status in (101, 204, 304):
            return Framing.NONE
        if codings:
            return Framing.CHUNKED
        return Framing.CLOSE if self.length is None else Framing.LENGTH

    @property
    def persistent(self) -> bool:
        """Whether the connection persists (RFC 9112, 9.3)."""
        options = {option.lower() for option in split_list(self.values(b"connection"))}
        return b"close" not in options and (self.minor_version == 1 or b"keep-alive" in options)


def malformed(what: str, cause: UpstreamCause = UpstreamCause.BAD_HTTP) -> UpstreamError:
    """Return the error for a malformed response."""
    return UpstreamError(
        UpstreamFault.MALFORMED, f"the upstream's response is not valid HTTP/1.1: {what}", cause
    )


def _without_doubles(head: bytes) -> bytes:
    """Return the head with CRLF line ends and at most one Content-Length."""
    lines = _LINE_END.split(head)
    matches = {index: _LENGTH_LINE.fullmatch(line) for index, line in enumerate(lines)}
    lengths = {index: match for index, match in matches.items() if match is not None}
    if lengths:
        first, *others = lengths
        number = _the_same(match[2] for match in lengths.values())
        lines[first] = b"%b: %b" % (lengths[first][1], number)
        for index in reversed(others):
            del lines[index]
    return b"\r\n".join(lines)


def _the_same(values: Iterable[bytes]) -> bytes:
    """Return the number that all the values agree on, without leading zeros."""
    members = {member.strip(b" \t") for value in values for member in value.split(b",")}
    number = members.pop()
    if members:
        raise malformed("Content-Length says different things")
    if _LENGTH.fullmatch(number) is None:
        raise malformed("Content-Length is not a number")
    return b"%d" % int(number)
