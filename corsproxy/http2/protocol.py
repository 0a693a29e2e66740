"""The protocol of one connection: frames in, events out, and frames to send.

Every frame is charged for what it costs, whichever side caused it; a peer that exceeds its
budget gets GOAWAY, and the connection ends. A stream error ends that stream. Whatever a peer
sends, a connection error is the worst outcome.

Handled here and not by `h2`: PING, PRIORITY, GOAWAY (after which `h2` would send nothing more on
the remaining streams), unknown frames, and frames after a stream's end.
"""

from typing import Final

import h2.events

from corsproxy.core.messages import Field
from corsproxy.http2.budget import budgets
from corsproxy.http2.events import (
    ContentArrived,
    ContentEnded,
    Event,
    RequestArrived,
    StreamEnded,
    WindowOpened,
)
from corsproxy.http2.field_blocks import BlockReader, FieldSection
from corsproxy.http2.field_coding import FieldEncoder
from corsproxy.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADER_SIZE,
    HEADERS,
    LAST_CALL,
    PADDED,
    WARNING,
    ConnectionFaultError,
    ErrorCode,
    Frame,
    FrameReader,
    FrameType,
    check,
    check_form,
    frame,
    goaway,
)
from corsproxy.http2.request_fields import MalformedRequestError, RequestReader, check_trailers
from corsproxy.http2.stream_states import (
    CONTINUE,
    MOST_STREAMS,
    SMALL_PIECE,
    ForgottenStreams,
    OpenStream,
    StreamStates,
)


class Http2Protocol:
    """One connection."""

    def __init__(self, most_in_section: int) -> None:
        """Up to `most_in_section` bytes of a field section are kept."""
        self.fault: ConnectionFaultError | None = None
        """The fault that has ended the connection."""
        self.client_leaves = False
        """Whether the client has said that no more requests will come (GOAWAY)."""
        self._has_begun = False
        self.has_warned = False
        """Whether the client was told to send no more requests here."""
        self.is_leaving = False
        """Whether the client was told that no more requests will be answered."""
        self._streams: dict[int, OpenStream] = {}
        self._forgotten: Final = ForgottenStreams()
        self._highest = 0
        self._now = 0.0
        self._frames: Final = FrameReader()
        self._blocks: Final = BlockReader(most_in_section)
        self._requests: Final = RequestReader()
        self._encoder: Final = FieldEncoder()
        self._states: Final = StreamStates()
        self._out: list[bytes] = []
        self._costs: Final = budgets()

    # Receiving.

    @property
    def is_in_head(self) -> bool:
        """Whether something other than content has begun and not ended."""
        return not self._has_begun or self._blocks.is_unfinished or self._frames.is_unfinished

    @property
    def held(self) -> int:
        """How many bytes of it are held."""
        return self._blocks.held + self._frames.held

    def receive(self, data: bytes | memoryview, now: float) -> list[Event]:
        """Return the events of `data`, received at the time `now` in seconds. After a fault, there
        are none."""
        if self.fault is not None:
            return []
        self._now = now
        events: list[Event] = []
        try:
            for each in self._frames.read(data):
                self._frame(each, events)
        except ConnectionFaultError as fault:
            self._end(fault)
        return events

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        kind = frame.kind
        if not self._has_begun:
            begins = kind == FrameType.SETTINGS and not frame.flags & ACK
            check(begins, ErrorCode.PROTOCOL_ERROR, "a preface without SETTINGS")
            self._has_begun = True
        self._blocks.check(frame)
        if kind == HEADERS:
            self._section(self._blocks.headers(frame), events)
        elif kind == DATA:
            self._data(frame, events)
        elif kind == CONTINUATION:
            self._section(self._blocks.continuation(frame), events)
        else:
            check_form(frame)
            self._control(frame, events)

    def _control(self, frame: Frame, events: list[Event]) -> None:
        kind = frame.kind
        if kind == FrameType.WINDOW_UPDATE:
            self._window_update(frame, events)
        elif kind == FrameType.RST_STREAM:
            self._rst_stream(frame, events)
        elif kind == FrameType.SETTINGS:
            self._settings(frame, events)
        else:
            self._other(frame)

    def _settings(self, frame: Frame, events: list[Event]) -> None:
        has_nothing = frame.size == 0 or not frame.flags & ACK
        check(has_nothing, ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with a payload")
        self._spend("settings")
        self._pass_on(frame, events)

    def _other(self, each: Frame) -> None:
        kind = each.kind
        check(kind != FrameType.PUSH_PROMISE, ErrorCode.PROTOCOL_ERROR, "a client that pushes")
        if kind == FrameType.GOAWAY:
            self.client_leaves = True
        elif kind == FrameType.PING and not each.flags & ACK:
            self._queue(frame(FrameType.PING, ACK, 0, each.payload))
        elif kind == FrameType.PING and self.has_warned and each.payload == LAST_CALL:
            self.leave()
        # Priorities and unknown frames are ignored (RFC 9113, 5.5).
        self._spend("frames without content")

    def _section(self, section: FieldSection | None, events: list[Event]) -> None:
        if section is None:
            return
        if section.stream in self._forgotten:
            self._spend("frames without content")
        elif section.stream in self._streams:
            self._trailers(section, events)
        else:
            is_new = section.stream > self._highest
            check(is_new, ErrorCode.STREAM_CLOSED, "a request on a closed stream")
            self._request(section, events)

    def _request(self, section: FieldSection, events: list[Event]) -> None:
        stream, has_ended = section.stream, section.has_ended
        self._highest = stream
        if self.is_leaving:
            # GOAWAY has told the client that it may retry the request elsewhere (RFC 9113, 6.8).
            self._forget(stream)
            return
        if len(self._streams) >= MOST_STREAMS:
            self._refuse(stream, ErrorCode.REFUSED_STREAM)
            return
        try:
            request = self._requests.read(section.fields, has_ended=has_ended)
        except MalformedRequestError:
            self._refuse(stream, ErrorCode.PROTOCOL_ERROR)
            return
        if section.is_too_large:
            self._spend("resets")
        self._states.begin(stream, has_ended=has_ended)
        self._streams[stream] = OpenStream(request.length, has_ended)
        events.append(RequestArrived(stream, request, section.is_too_large, has_ended))

    def _trailers(self, section: FieldSection, events: list[Event]) -> None:
        stream = section.stream
        state = self._streams[stream]
        if state.remote_ended:
            self._break(stream, ErrorCode.STREAM_CLOSED, events)
            return
        try:
            check_trailers(section.fields)
            if not section.has_ended or state.expected:
                raise MalformedRequestError("trailers before the content's end")
        except MalformedRequestError:
            self._break(stream, ErrorCode.PROTOCOL_ERROR, events)
            return
        self._states.begin(stream, has_ended=True)
        state.remote_ended = True
        events.append(ContentEnded(stream))

    def _data(self, each: Frame, events: list[Event]) -> None:
        stream, size = each.stream, each.size
        if stream in self._forgotten:
            # It still counts towards the connection's window.
            self._spend("frames without content")
            if size:
                self._queue(frame(FrameType.WINDOW_UPDATE, 0, 0, size.to_bytes(4)))
            return
        state = self._streams.get(stream)
        if state is None:
            closed = 0 < stream <= self._highest
            code = ErrorCode.STREAM_CLOSED if closed else ErrorCode.PROTOCOL_ERROR
            raise ConnectionFaultError(code, "DATA on a stream that is not open")
        if state.remote_ended:
            self._break(stream, ErrorCode.STREAM_CLOSED, events)
            return
        has_ended = bool(each.flags & END_STREAM)
        padding = 1 + each.data[HEADER_SIZE] if each.flags & PADDED and size else 0
        if size <= padding + SMALL_PIECE and not has_ended:
            self._spend("frames without content" if size <= padding else "small pieces of content")
        state.untaken += size
        self._pass_on(each, events)
        self.acknowledge(stream, padding)
        self._measure(stream, state, size - padding, has_ended, events)

    def _measure(
        self, stream: int, state: OpenStream, size: int, has_ended: bool, events: list[Event]
    ) -> None:
        """Compare content with the announced length (RFC 9113, 8.1.1)."""
        if not state.fits(size, has_ended):
            self._break(stream, ErrorCode.PROTOCOL_ERROR, events)
        elif has_ended:
            state.remote_ended = True
            events.append(ContentEnded(stream))

    def _window_update(self, frame: Frame, events: list[Event]) -> None:
        check(
            frame.stream <= self._highest,
            ErrorCode.PROTOCOL_ERROR,
            "WINDOW_UPDATE for an idle stream",
        )
        self._spend("window updates")
        if frame.stream == 0 or frame.stream in self._streams:
            self._pass_on(frame, events)

    def _rst_stream(self, frame: Frame, events: list[Event]) -> None:
        stream = frame.stream
        check(stream <= self._highest, ErrorCode.PROTOCOL_ERROR, "RST_STREAM for an idle stream")
        self._spend("resets")
        if stream in self._streams:
            self._pass_on(frame, events)
            self._drop(stream)
            events.append(StreamEnded(stream))

    def _pass_on(self, frame: Frame, events: list[Event]) -> None:
        """Pass a frame to the streams."""
        for event in self._states.receive(frame.data):
            if isinstance(event, h2.events.DataReceived):
                if event.data:
                    events.append(ContentArrived(frame.stream, bytes(event.data)))
            elif isinstance(event, h2.events.WindowUpdated):
                events.append(WindowOpened(frame.stream))
            elif isinstance(event, h2.events.RemoteSettingsChanged):
                events.append(WindowOpened(0))
            elif isinstance(event, h2.events.StreamReset) and not event.remote_reset:
                # The window overflows.
                self._spend("resets")
                self._drop(frame.stream)
                events.append(StreamEnded(frame.stream))

    def _refuse(self, stream: int, code: ErrorCode) -> None:
        """Reset a stream that was never begun."""
        self._spend("resets")
        self._forget(stream)
        self._queue(frame(FrameType.RST_STREAM, 0, stream, int(code).to_bytes(4)))

    def _break(self, stream: int, code: ErrorCode, events: list[Event]) -> None:
        """Reset a stream that the client has broken."""
        self._spend("resets")
        self.reset(stream, code)
        events.append(StreamEnded(stream))

    def _forget(self, stream: int) -> None:
        self._forgotten.add(stream)

    def _spend(self, what: str, amount: int = 1) -> None:
        if not self._costs[what].spend(self._now, amount):
            raise ConnectionFaultError(ErrorCode.ENHANCE_YOUR_CALM, f"too many {what}")

    # Sending. Calls for a stream that has ended do nothing.

    def send_continue(self, stream: int) -> None:
        """Send a 100, for a client that waits with its content."""
        if stream in self._streams and self.fault is None:
            self._states.send_continue(stream, self._encoder.encode([CONTINUE]))

    def send_head(self, stream: int, fields: list[Field], *, is_all: bool) -> int:
        """Send the head of a response; `is_all` if nothing follows. Returns its size."""
        if stream not in self._streams or self.fault is not None:
            return 0
        block = self._encoder.encode(fields)
        self._states.send_head(stream, block, is_all=is_all)
        if is_all:
            self._answered(stream)
        return len(block)

    def window(self, stream: int) -> int:
        """Return how many bytes of content may be sent on the stream now."""
        if stream not in self._streams or self.fault is not None:
            return 0
        return self._states.window(stream)

    def send_content(self, stream: int, data: bytes | memoryview, *, is_all: bool) -> None:
        """Send content, no more than `window`; `is_all` if nothing follows."""
        if stream not in self._streams or self.fault is not None:
            return
        self._states.send_content(stream, data, is_all=is_all)
        if is_all:
            self._answered(stream)

    def _answered(self, stream: int) -> None:
        """The response is complete. The rest of the request is not needed (RFC 9113, 8.1)."""
        if self._streams[stream].remote_ended:
            self._release(self._streams.pop(stream), stream)
        else:
            self.reset(stream, ErrorCode.NO_ERROR)

    def reset(self, stream: int, code: ErrorCode) -> None:
        """Reset a stream, so that its response cannot pass for complete."""
        if stream not in self._streams or self.fault is not None:
            return
        self._states.reset(stream, code)
        self._drop(stream)

    def _drop(self, stream: int) -> None:
        """Forget a stream that was reset, by either side."""
        self._release(self._streams.pop(stream), stream)
        self._forget(stream)

    def acknowledge(self, stream: int, size: int) -> None:
        """Allow the client to send `size` more bytes: as many were taken."""
        state = self._streams.get(stream)
        if state is not None and size and self.fault is None:
            state.untaken -= size
            self._states.acknowledge(stream, size)

    def _release(self, state: OpenStream, stream: int) -> None:
        """Return what a stream used of the connection's window."""
        if state.untaken and self.fault is None:
            self._states.acknowledge(stream, state.untaken)
            state.untaken = 0

    @property
    def has_requests(self) -> bool:
        """Whether a request has ever come."""
        return self._highest > 0

    def warn(self) -> None:
        """Ask the client to send no more requests here; call `leave` after its answer."""
        if not self.has_warned and not self.is_leaving and self.fault is None:
            self.has_warned = True
            self._queue(WARNING)

    def leave(self) -> None:
        """Accept no more requests; those in progress will be answered."""
        if not self.is_leaving and self.fault is None:
            self.is_leaving = True
            self._queue(goaway(self._highest, ErrorCode.NO_ERROR))

    def _end(self, fault: ConnectionFaultError) -> None:
        self._collect()
        self.fault = fault
        self._streams.clear()
        self._out.append(goaway(self._highest, fault.code))

    def _queue(self, data: bytes) -> None:
        """Send a frame of our own after the library's."""
        self._collect()
        self._out.append(data)

    def _collect(self) -> None:
        data = self._states.take_output()
        if data:
            self._out.append(data)

    def take_output(self) -> bytes:
        """Return the bytes to send now."""
        if self.fault is None:
            self._collect()
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data
