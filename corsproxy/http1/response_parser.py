"""One HTTP/1.1 response: bytes in; a head, content and an end out. Does no I/O.

    HEAD ──► (interim: HEAD) ──► LENGTH | CHUNKED | CLOSE | SWITCHED ──► COMPLETE

Ambiguous or endless responses are refused (RFC 9112, 6 and 11): more than one way to delimit
the content, oversized field sections, too many interim responses. Names and values are bytes.
Trailers are dropped, as RFC 9110, 6.5.1 allows.

The end of the head is found here, and no reader of a head sees what follows it: `plain_response`
reads plain heads, `response_head_parser` all others, with the same result.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, cast

from corsproxy.core.connection_authentication import is_offered
from corsproxy.core.messages import Fields, Framing, UpstreamHead
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault
from corsproxy.http1.chunked import ChunkedCodingError, ChunkedDecoder
from corsproxy.http1.plain_response import PlainHead, PlainHeadReader
from corsproxy.http1.response_head_parser import ParsedHead, malformed

MAX_INTERIM: Final = 10
"""The limit on 1xx responses before the final one; servers send one or two."""

# A first read up to this size is copied as a whole; of longer ones, only the beginning.
_SMALL: Final = 16 * 1024
_VERSION: Final = b"HTTP/1."
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_KEEP_ALIVE_TIMEOUT: Final = re.compile(rb'(?:^|[\s,;])timeout\s*=\s*"?([0-9]{1,9})', re.IGNORECASE)
_EVENT_STREAM: Final = b"text/event-stream"
# The first byte of a TLS server's answer to plain text: an alert record (RFC 8446, 5.1).
_TLS_ALERT: Final = 0x15
# An HTTP/2 server answers with a SETTINGS or GOAWAY frame of stream 0 (RFC 9113, 4.1).
_HTTP2_FRAME: Final = re.compile(rb"\x00..[\x04\x07].\x00\x00\x00\x00", re.DOTALL)


class State(Enum):
    """What the next byte is."""

    HEAD = "head"
    LENGTH = "length"  # content, so many bytes of it
    CHUNKED = "chunked"
    CLOSE = "close"  # content, until the connection closes
    SWITCHED = "switched"  # of another protocol
    COMPLETE = "complete"  # of nothing that was asked for


_AFTER_HEAD: Final = {
    Framing.NONE: State.COMPLETE,
    Framing.LENGTH: State.LENGTH,
    Framing.CHUNKED: State.CHUNKED,
    Framing.CLOSE: State.CLOSE,
}


class ResponseParser:
    """Reads the response to one request; made anew for each.

    Feed it until `complete`. `head` is set as soon as the final head has arrived; content goes
    to `put` as it comes. A parser that is complete, or has raised, cannot be used again.
    """

    __slots__ = (
        "_answers_head", "_chunks", "_head", "_interim", "_left", "_limit", "_plain_heads", "_put",
        "_state", "_upgrade", "complete", "event_stream", "head", "keep_alive", "persistent",
        "switched", "untouched",
    )  # fmt: skip

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
        is the connection's. `put` is lent what was lent to `feed`."""
        self.head: UpstreamHead | None = None
        self.complete = False
        self.persistent = False
        """Whether the connection may carry another request after this response."""
        self.keep_alive: int | None = None
        """For how many seconds the upstream says it keeps idle connections."""
        self.event_stream = False
        self.switched = False
        """Whether the head is a 101; everything after it goes to `put`."""
        self.untouched = True
        """Whether no byte has been received."""
        self._state = State.HEAD
        self._answers_head = method == "HEAD"
        self._upgrade = upgrade
        self._limit = section_limit
        self._put = put
        self._head: bytearray | None = None  # what has arrived of one that is not plain
        self._left = 0  # of the content, where its length is known
        self._chunks: ChunkedDecoder | None = None
        self._interim = 0
        self._plain_heads = PlainHeadReader() if plain_heads is None else plain_heads

    def feed(self, data: memoryview) -> None:
        """Read what has been received.

        Raises UpstreamError: MALFORMED, HEAD_TOO_LARGE.
        """
        if self._state is not State.HEAD:
            self._read_content(data)
            return
        self.untouched = False
        if self._head is None:
            if self._read_plain(data):
                return
            self._head = bytearray()
        self._read_heads(self._head, data)

    def feed_eof(self) -> None:
        """The upstream has closed its side, properly as far as TCP and TLS can tell.

        Raises UpstreamError: CLOSED before a whole head, TRUNCATED inside the content.
        """
        if self.head is None:
            cause = None if self.untouched else UpstreamCause.CUT_HEAD
            before = "unanswered" if cause is None else "before the end of the response's head"
            detail = f"the upstream closed the connection {before}"
            raise UpstreamError(UpstreamFault.CLOSED, detail, cause)
        if self._state is State.CLOSE or self._state is State.SWITCHED:
            self._end()
        elif not self.complete:
            raise UpstreamError(
                UpstreamFault.TRUNCATED, "the upstream closed the connection inside the content"
            )

    # Heads.

    def _read_plain(self, data: memoryview) -> bool:
        """Read the beginning of the response, unless llhttp has to do it."""
        is_small = len(data) <= _SMALL
        beginning = data.tobytes() if is_small else data[:_SMALL].tobytes()
        plain = self._plain_heads.read(beginning, self._limit)
        if plain is None:
            return False
        if not self._accept_plain(plain):
            return False
        rest = beginning[plain.size :] if is_small else data[plain.size :]
        if self._state is State.LENGTH:
            self._pass_length(rest)
        elif rest:
            self.persistent = False
        return True

    def _accept_plain(self, plain: PlainHead) -> bool:
        status = plain.status
        if self._answers_head or status == 204 or status == 304:
            framing = Framing.NONE
        elif plain.length >= 0:
            framing = Framing.LENGTH
            self._left = plain.length
        else:
            return False
        self.persistent = not plain.closes
        self.event_stream = _is_event_stream(plain.content_type)
        if plain.keep_alive:
            self._read_keep_alive(plain.keep_alive)
        self.head = UpstreamHead(status, plain.reason, cast("Fields", plain.fields), framing)
        if framing is Framing.NONE:
            self._end()
        else:
            self._state = State.LENGTH
        return True

    def _read_heads(self, received: bytearray, data: memoryview) -> None:
        """Read the heads that end in `data`, up to the final one, and the content after it."""
        begin = max(0, len(received) - 2)
        received += data
        while self._state is State.HEAD:
            self._check_beginning(received)
            end = _HEAD_END.search(received, begin)
            if end is None:
                if len(received) > self._limit:
                    raise self._too_large()
                return
            head = bytes(received[: end.end()])
            del received[: end.end()]
            begin = 0
            self._take_head(head)
        self._head = None
        if received:
            self._read_content(memoryview(bytes(received)))

    def _check_beginning(self, received: bytearray) -> None:
        """Refuse at once what is no response: it may never end."""
        if not received.startswith(_VERSION[: len(received)]):
            raise _greeting(bytes(received[:16]))

    def _take_head(self, received: bytes) -> None:
        parsed = ParsedHead()
        parsed.read(received)
        # A field line is a name, a colon, a value and CRLF.
        if len(received) > self._limit and self._limit < sum(
            len(name) + len(value) + 3 for name, value in parsed.fields
        ):
            raise self._too_large()
        is_switch = parsed.status == 101 and parsed.switches and self._upgrade
        if parsed.status < 200 and not is_switch:
            self._skip_interim(parsed)
        else:
            self._accept(parsed)

    def _skip_interim(self, parsed: ParsedHead) -> None:
        """Skip an interim response, whatever it says about the connection."""
        self._interim += 1
        if parsed.status == 101:
            asked = "without an Upgrade" if self._upgrade else "to a request that asked for none"
            raise malformed(f"a switch of protocols (101) {asked}")
        if self._interim > MAX_INTERIM:
            raise malformed(f"more than {MAX_INTERIM} interim responses")
        if parsed.values(b"content-length") or parsed.values(b"transfer-encoding"):
            raise malformed("an interim response with content")

    def _accept(self, parsed: ParsedHead) -> None:
        framing = parsed.framing(answers_head=self._answers_head)
        self._left = parsed.length or 0
        self.persistent = parsed.persistent
        for value in parsed.values(b"keep-alive"):
            self._read_keep_alive(value)
        for value in parsed.values(b"content-type"):
            self.event_stream = _is_event_stream(value)
        authenticates = is_offered(parsed.fields)
        self.head = UpstreamHead(
            parsed.status, parsed.reason, parsed.fields, framing, authenticates
        )
        self._state = State.SWITCHED if parsed.status == 101 else _AFTER_HEAD[framing]
        self.switched = self._state is State.SWITCHED
        if framing is Framing.CHUNKED:
            self._chunks = ChunkedDecoder()
        elif self._state is State.COMPLETE or (self._state is State.LENGTH and not self._left):
            self._end()

    def _read_keep_alive(self, value: bytes) -> None:
        if match := _KEEP_ALIVE_TIMEOUT.search(value):
            self.keep_alive = int(match[1])

    def _too_large(self) -> UpstreamError:
        return UpstreamError(
            UpstreamFault.HEAD_TOO_LARGE,
            f"the upstream's response head is larger than {self._limit} bytes"
            " (limits.upstream_field_section)",
        )

    # Content.

    def _read_content(self, data: memoryview) -> None:
        if self._state is State.LENGTH:
            self._pass_length(data)
        elif self._state is State.COMPLETE:
            self.persistent = False
        elif self._chunks is not None:
            self._decode(self._chunks, data)
        elif data:
            self._put(data)

    def _pass_length(self, data: bytes | memoryview) -> None:
        if len(data) > self._left:
            self.persistent = False
            data = data[: self._left]
        self._left -= len(data)
        if not self._left:
            self._end()
        if data:
            self._put(data)

    def _decode(self, chunks: ChunkedDecoder, data: memoryview) -> None:
        if chunks.goes_on_for(len(data)):
            self._put(data)
            return
        try:
            content, end = chunks.decode(bytes(data), 0)
        except ChunkedCodingError as error:
            if error.content:
                self._put(error.content)
            raise malformed("a fault in the chunked coding") from None
        if content:
            self._put(content)
        if chunks.has_ended:
            self._end()
            if end < len(data):
                self.persistent = False

    def _end(self) -> None:
        self._state = State.COMPLETE
        self.complete = True


def _is_event_stream(content_type: bytes) -> bool:
    # Most are shorter, such as application/json.
    if len(content_type) < len(_EVENT_STREAM):
        return False
    return content_type[: len(_EVENT_STREAM)].lower() == _EVENT_STREAM


def _greeting(received: bytes) -> UpstreamError:
    if received[0] == _TLS_ALERT:
        what = "it answered with TLS (does the upstream's URL need https://?)"
        return malformed(what, UpstreamCause.WANTS_TLS)
    if _HTTP2_FRAME.match(received):
        return malformed("it speaks HTTP/2 only", UpstreamCause.HTTP2)
    if received.startswith(b"HTTP/"):
        return malformed("a version that HTTP/1.1 does not have")
    return malformed("it begins with something else", UpstreamCause.NOT_HTTP)
