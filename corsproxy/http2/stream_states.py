"""The parts of the `h2` library that are used: stream states, windows and SETTINGS.

It gets whole frames with empty field blocks: those are decoded and encoded elsewhere.
"""

from collections.abc import Iterator
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from corsproxy.core.messages import Field
from corsproxy.http2.frames import (
    END_HEADERS,
    END_STREAM,
    PREFACE,
    ConnectionFaultError,
    ErrorCode,
    FrameType,
    frame,
)

MOST_STREAMS: Final = 128
"""Open streams per client (SETTINGS_MAX_CONCURRENT_STREAMS)."""
STREAM_WINDOW: Final = 1024 * 1024
"""The window of one request; with 64 KiB, uploads from far away would be slow."""
CONNECTION_WINDOW: Final = 4 * 1024 * 1024
"""The window of all requests of a connection together: all that a client can make us hold."""

SMALL_PIECE: Final = 64
"""A DATA frame with less content than this costs more than it carries."""

CONTINUE: Final[Field] = (b":status", b"100")

_FIRST_WINDOW: Final = 65_535
_MOST_IN_SECTION: Final = 64 * 1024
_MOST_AT_ONCE: Final = 64 * 1024
_MOST_FORGOTTEN: Final = 1000


class OpenStream:
    """The state of an open stream, except its windows."""

    __slots__ = ("expected", "remote_ended", "untaken")

    def __init__(self, expected: int | None, remote_ended: bool) -> None:
        self.expected = expected
        """Bytes of content still to come; None if no length was announced."""
        self.remote_ended = remote_ended
        self.untaken = 0
        """Bytes of the windows used by content that has not been taken yet."""

    def fits(self, size: int, has_ended: bool) -> bool:
        """Whether `size` more bytes fit the announced length, and complete it if the content has
        ended."""
        if self.expected is None:
            return True
        self.expected -= size
        return self.expected == 0 or (self.expected > 0 and not has_ended)


class ForgottenStreams:
    """The last streams that were reset or refused; frames for them may still be on their way."""

    def __init__(self) -> None:
        self._streams: dict[int, None] = {}

    def __contains__(self, stream: int) -> bool:
        return stream in self._streams

    def add(self, stream: int) -> None:
        self._streams[stream] = None
        if len(self._streams) > _MOST_FORGOTTEN:
            del self._streams[next(iter(self._streams))]


class _NoFields:
    """Replaces the library's own field coding."""

    def __init__(self) -> None:
        self.block = b""
        self.header_table_size = 0
        self.max_header_list_size = 0
        self.max_allowed_table_size = 0

    def decode(self, data: bytes, raw: bool = False) -> list[Field]:
        return []

    def encode(self, headers: object, huffman: bool = True) -> bytes:
        return self.block


class StreamStates:
    """The streams of one connection."""

    def __init__(self) -> None:
        self._coding: Final = _NoFields()
        self._library: Final = self._made()
        self._library.initiate_connection()
        self._library.increment_flow_control_window(CONNECTION_WINDOW - _FIRST_WINDOW)
        self._library.receive_data(PREFACE)

    def _made(self) -> h2.connection.H2Connection:
        library = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        code = h2.settings.SettingCodes
        library.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                code.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                code.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                code.MAX_HEADER_LIST_SIZE: _MOST_IN_SECTION,
                code.ENABLE_PUSH: 0,
            },
        )
        library.encoder = self._coding  # type: ignore[assignment] # hpack's, by its interface
        library.decoder = self._coding  # type: ignore[assignment] # the same
        return library

    def receive(self, data: bytes) -> Iterator[h2.events.Event]:
        """Take a whole frame; returns the resulting events. Raises ConnectionFaultError."""
        try:
            return iter(self._library.receive_data(data))
        except h2.exceptions.ProtocolError as error:
            # Drop the library's own GOAWAY, which does not know all streams.
            self._library.clear_outbound_data_buffer()
            raise ConnectionFaultError(_code_of(error), str(error)) from error

    def begin(self, stream: int, *, has_ended: bool) -> None:
        """Take a request, or its trailers."""
        flags = END_HEADERS | (END_STREAM if has_ended else 0)
        self.receive(frame(FrameType.HEADERS, flags, stream))

    def send_continue(self, stream: int, block: bytes) -> None:
        self._coding.block = block
        self._library.send_headers(stream, [CONTINUE])

    def send_head(self, stream: int, block: bytes, *, is_all: bool) -> None:
        self._coding.block = block
        self._library.send_headers(stream, (), is_all)

    def window(self, stream: int) -> int:
        """Return how many bytes of content may be sent now."""
        return max(0, self._library.local_flow_control_window(stream))

    def send_content(self, stream: int, data: bytes | memoryview, *, is_all: bool) -> None:
        most = min(self._library.max_outbound_frame_size, _MOST_AT_ONCE)
        at = 0
        while len(data) - at > most:
            self._library.send_data(stream, data[at : at + most])
            at += most
        self._library.send_data(stream, data[at:] if at else data, is_all)

    def reset(self, stream: int, code: ErrorCode) -> None:
        self._library.reset_stream(stream, int(code))

    def acknowledge(self, stream: int, size: int) -> None:
        """Open the windows by `size`."""
        self._library.acknowledge_received_data(size, stream)

    def take_output(self) -> bytes:
        """Return the bytes to send."""
        return self._library.data_to_send()


def _code_of(error: h2.exceptions.ProtocolError) -> ErrorCode:
    try:
        return ErrorCode(int(error.error_code))
    except ValueError:
        return ErrorCode.PROTOCOL_ERROR
