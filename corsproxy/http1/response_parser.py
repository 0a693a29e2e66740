"""One HTTP/1.1 response: bytes in; a head, content and an end out. Does no I/O.

llhttp reads the syntax, with none of its leniencies; this module adds what a gateway
must not leave in doubt (RFC 9112, 6 and 11): one way to delimit the content or none, no
transfer coding but `chunked`, no status below 100, a bounded field section, a bounded
number of interim responses, an end after which nothing follows. Names and values come
out as their bytes. Trailers are dropped, as RFC 9110, 6.5.1 allows.

A response whose head is plain and that says how long its content is, or has none, needs no
llhttp: `plain_head` reads the head, and the content is counted. The same comes out.
"""

import re
from collections.abc import Callable
from typing import Final

import httptools

from corsproxy.core.connection_authentication import is_offered
from corsproxy.core.fields import is_safe_value, split_list
from corsproxy.core.messages import Field, Framing, UpstreamHead
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.http1.plain_response import PlainHeadReader

MAX_INTERIM: Final = 10
"""1xx responses before the final one; nobody sends more than two for good."""

# A first read that is copied as a whole; of longer ones, only the beginning.
_SMALL: Final = 16 * 1024
_MINOR_VERSIONS: Final = {"1.1": 1, "1.0": 0}
# The fields of a response head that are about its connection.
_CONNECTION_FIELDS: Final = frozenset(
    {b"connection", b"content-length", b"content-type", b"keep-alive", b"transfer-encoding"}
)
_KEEP_ALIVE_TIMEOUT: Final = re.compile(rb'(?:^|[\s,;])timeout\s*=\s*"?([0-9]{1,9})', re.IGNORECASE)
_EVENT_STREAM: Final = b"text/event-stream"
# What a TLS server answers to plain text begins with this: an alert record (RFC 8446, 5.1).
_TLS_ALERT: Final = 0x15


class ResponseParser:
    """Reads the response to one request; made anew for each.

    Feed it until `complete`. `head` is there as soon as the final head is; content goes
    to `put` as it comes. A parser that is complete, or has raised, is used up. The `on_`
    methods are llhttp's callbacks.
    """

    __slots__ = (
        "_answers_head",
        "_barren",
        "_fields",
        "_interim",
        "_left",
        "_limit",
        "_llhttp",
        "_pieces",
        "_plain_heads",
        "_put",
        "_reason",
        "_received",
        "_refusal",
        "_upgrade",
        "complete",
        "event_stream",
        "head",
        "keep_alive",
        "persistent",
        "switched",
    )

    def __init__(
        self,
        method: str,
        *,
        upgrade: bool,
        section_limit: int,
        put: Callable[[bytes | memoryview], None],
        plain_heads: PlainHeadReader | None = None,
    ) -> None:
        """`method` and `upgrade` are the request's; `section_limit` is in bytes; `plain_heads`
        is the connection's. What `put` gets is lent where `feed` got it so."""
        self.head: UpstreamHead | None = None
        self.complete = False
        self.persistent = False
        """Whether the connection may carry another request after this response."""
        self.keep_alive: int | None = None
        """How many seconds the upstream says that it keeps an idle connection."""
        self.event_stream = False
        self.switched = False
        """Whether the head is a 101; all that follows goes to `put` as it is."""
        self._answers_head = method == "HEAD"
        self._upgrade = upgrade
        self._limit = section_limit
        self._put = put
        self._left: int | None = None
        """How much content is still to come, where its length is known."""
        self._pieces: list[bytes] = []
        self._fields: list[Field] = []
        self._reason = b""
        self._received = 0
        self._barren = 0
        self._interim = 0
        self._refusal: UpstreamError | None = None
        self._llhttp: httptools.HttpResponseParser | None = None
        self._plain_heads = PlainHeadReader() if plain_heads is None else plain_heads

    @property
    def untouched(self) -> bool:
        """Whether not one byte has been received."""
        return not self._received

    def feed(self, data: memoryview) -> None:
        """Read what has been received.

        Raises UpstreamError: MALFORMED, HEAD_TOO_LARGE. The content before the fault has
        then gone to `put`.
        """
        llhttp = self._llhttp
        if llhttp is None:
            if self.head is not None:
                self._pass_on(data)
                return
            if self._read_plain(data):
                return
            llhttp = self._llhttp = httptools.HttpResponseParser(self)
        if self.head is None:
            # llhttp also reads other protocols that share HTTP's syntax, and skips lines.
            if not self._received and data[0] != 0x48:  # "H"
                raise _malformed(_greeting(data[0]))
            self._received += len(data)
        else:
            self._barren += len(data)
        try:
            llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._llhttp = None
            self._pass_on(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if not self.complete:
                raise self._refusal or _malformed(str(error)) from None
            self.persistent = False
        finally:
            if self._pieces:
                # However small the chunks, one read makes one piece.
                self._put(b"".join(self._pieces))
                self._pieces.clear()
        self._check_bounds(data)

    def feed_eof(self) -> None:
        """The upstream has closed its side: properly, as far as TCP and TLS can tell.

        Raises UpstreamError: CLOSED before a whole head, TRUNCATED inside the content.
        """
        if self.head is None:
            before = "in the middle of the response's head" if self._received else "unanswered"
            raise UpstreamError(
                UpstreamFault.CLOSED, f"the upstream closed the connection {before}"
            )
        if self.head.framing is Framing.CLOSE or self.switched:
            self.complete = True
        elif not self.complete:
            raise UpstreamError(
                UpstreamFault.TRUNCATED, "the upstream closed the connection inside the content"
            )

    def stop(self) -> None:
        """Read no more. Until then, llhttp and its callbacks hold each other alive."""
        self._llhttp = None

    def _read_plain(self, data: memoryview) -> bool:
        """Read the beginning of the response, unless that is for llhttp to do."""
        is_small = len(data) <= _SMALL
        beginning = data.tobytes() if is_small else data[:_SMALL].tobytes()
        plain = self._plain_heads.read(beginning, self._limit)
        if plain is None:
            return False
        status = plain.status
        if self._answers_head or status == 204 or status == 304:
            framing = Framing.NONE
            self._left = 0
        elif plain.length >= 0:
            framing = Framing.LENGTH
            self._left = plain.length
        else:
            return False
        self._received = len(data)
        self.persistent = not plain.closes
        self.event_stream = _is_event_stream(plain.content_type)
        if plain.keep_alive:
            self._read_keep_alive(plain.keep_alive)
        self.head = UpstreamHead(status, plain.reason, None, framing, plain.lines)
        self._pass_on(beginning[plain.size :] if is_small else data[plain.size :])
        return True

    def _pass_on(self, data: bytes | memoryview) -> None:
        """Take what is delimited by its length or by the end of the connection, and needs no
        parsing."""
        if self._left is not None:
            if len(data) > self._left:
                self.persistent = False
                data = data[: self._left]
            self._left -= len(data)
            self.complete = not self._left
        if data:
            self._put(data)

    def _check_bounds(self, data: memoryview) -> None:
        if self.complete:
            # llhttp has been waiting for the content of a response that has none, and
            # may have swallowed the beginning of something that nobody asked for.
            if self.head is not None and self.head.framing is Framing.NONE:
                self.persistent = self.persistent and bytes(data[-4:]) == b"\r\n\r\n"
            self._llhttp = None
        elif self.head is None:
            if self._received > self._limit:
                raise self._too_large()
        elif self.head.framing is not Framing.CHUNKED:
            self._llhttp = None
        elif self._barren > self._limit + len(data):
            raise _malformed("chunk extensions or trailers without end")

    def on_message_begin(self) -> None:
        if self.complete:
            self.persistent = False

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is None:
            # llhttp takes the white space before a value, and leaves what is behind it.
            if value.endswith((b" ", b"\t")):
                value = value.rstrip(b" \t")
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        llhttp = self._llhttp
        if self.complete or llhttp is None:
            self.persistent = False
            return
        status = llhttp.get_status_code()
        minor_version = _MINOR_VERSIONS.get(llhttp.get_http_version())
        if minor_version is None or status < 100:
            raise self._refuse(_malformed("a version or a status that HTTP/1.1 does not have"))
        if not is_safe_value(self._reason):
            raise self._refuse(_malformed("control characters in the reason phrase"))
        if status < 200 and not (status == 101 and self._upgrade and llhttp.should_upgrade()):
            self._skip_interim(status)
            return
        self._accept(status, minor_version)

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self.persistent = False
            return
        self._barren = 0
        self._pieces.append(data)
        if self._left is not None:
            self._left -= len(data)

    def on_message_complete(self) -> None:
        if self.head is not None and not self.switched:
            self.complete = True

    def on_chunk_header(self) -> None:
        if self.complete:
            self.persistent = False

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        if status == 101:
            raise self._refuse(_malformed("101 to a request that asked for no upgrade"))
        if self._interim > MAX_INTERIM:
            raise self._refuse(_malformed(f"more than {MAX_INTERIM} interim responses"))
        if any(
            name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._fields
        ):
            raise self._refuse(_malformed("an interim response with content"))
        self._check_section()
        # The final response follows whatever this one says about the connection.
        if self._llhttp is not None:
            self._llhttp.set_dangerous_leniencies(lenient_keep_alive=True)
        self._fields = []
        self._reason = b""
        self._received = 1

    def _accept(self, status: int, minor_version: int) -> None:
        self._check_section()
        found: dict[bytes, list[bytes]] = {}
        for name, value in self._fields:
            key = name.lower()
            if key in _CONNECTION_FIELDS:
                found.setdefault(key, []).append(value)
        framing = self._framing(status, minor_version, found)
        self._read_persistence(minor_version, found)
        for value in found.get(b"content-type", ()):
            self.event_stream = _is_event_stream(value)
        authenticates = is_offered(self._fields)
        self.head = UpstreamHead(status, self._reason, self._fields, framing, None, authenticates)
        if status == 101:
            self.switched = True
        elif framing is Framing.NONE:
            self.complete = True

    def _framing(self, status: int, minor_version: int, found: dict[bytes, list[bytes]]) -> Framing:
        """RFC 9112, 6.3, without its recoveries: what is in doubt is refused."""
        codings = found.get(b"transfer-encoding")
        lengths = found.get(b"content-length")
        if codings is not None:
            if minor_version == 0 or [coding.lower() for coding in codings] != [b"chunked"]:
                raise self._refuse(_malformed("a transfer coding other than chunked"))
            if lengths is not None:
                raise self._refuse(_malformed("both Content-Length and Transfer-Encoding"))
        if self._answers_head or status in (101, 204, 304):
            return Framing.NONE
        if codings is not None:
            return Framing.CHUNKED
        if lengths is None:
            return Framing.CLOSE
        self._left = int(lengths[0])
        return Framing.LENGTH

    def _read_persistence(self, minor_version: int, found: dict[bytes, list[bytes]]) -> None:
        """RFC 9112, 9.3."""
        self.persistent = minor_version == 1
        if values := found.get(b"connection"):
            options = {option.lower() for option in split_list(values)}
            self.persistent = b"close" not in options and (
                self.persistent or b"keep-alive" in options
            )
        for value in found.get(b"keep-alive", ()):
            self._read_keep_alive(value)

    def _read_keep_alive(self, value: bytes) -> None:
        if match := _KEEP_ALIVE_TIMEOUT.search(value):
            self.keep_alive = int(match[1])

    def _check_section(self) -> None:
        # A field line is a name, a colon, a value and CRLF.
        if self._received > self._limit and self._limit < sum(
            len(name) + len(value) + 3 for name, value in self._fields
        ):
            raise self._refuse(self._too_large())

    def _too_large(self) -> UpstreamError:
        return UpstreamError(
            UpstreamFault.HEAD_TOO_LARGE,
            f"the upstream's response head is larger than {self._limit} bytes"
            " (limits.upstream_field_section)",
        )

    def _refuse(self, refusal: UpstreamError) -> UpstreamError:
        # llhttp turns what a callback raises into an error of its own.
        self._refusal = refusal
        return refusal


def _is_event_stream(content_type: bytes) -> bool:
    # Most are shorter, such as application/json.
    if len(content_type) < len(_EVENT_STREAM):
        return False
    return content_type[: len(_EVENT_STREAM)].lower() == _EVENT_STREAM


def _malformed(what: str) -> UpstreamError:
    return UpstreamError(
        UpstreamFault.MALFORMED, f"the upstream's response is not valid HTTP/1.1: {what}"
    )


def _greeting(first: int) -> str:
    if first == _TLS_ALERT:
        return "it answered with TLS (does the upstream's URL need https://?)"
    return "it begins with something else"
