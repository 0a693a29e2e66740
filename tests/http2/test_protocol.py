"""The protocol of a connection: the MUSTs of RFC 9113 for servers, and limits for each peer."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http2.events import (
    ContentArrived,
    ContentEnded,
    Event,
    RequestArrived,
    StreamEnded,
)
from corsproxy.http2.frames import PREFACE, ErrorCode, FrameType
from corsproxy.http2.protocol import Http2Protocol
from corsproxy.http2.stream_states import CONNECTION_WINDOW, MOST_STREAMS, STREAM_WINDOW
from tests.http2.frames import (
    ACK,
    BEGINNING,
    END_HEADERS,
    END_STREAM,
    GET,
    PADDED,
    POST,
    PRIORITY,
    SETTINGS,
    Frame,
    block,
    data,
    frame,
    frames_of,
    headers,
    ping,
    reset,
    setting,
    window_update,
)

OPEN = headers(1, POST, END_HEADERS)
"""A request whose content is to come."""


class Server:
    """A protocol whose beginning is over, and what came out of it."""

    def __init__(self, beginning: bytes = BEGINNING) -> None:
        self.protocol = Http2Protocol(70_000)
        self.events: list[Event] = []
        self.sent: list[Frame] = []
        self.take(beginning)
        self.sent.clear()
        self.events.clear()

    def take(self, data: bytes, now: float = 0.0) -> "Server":
        self.events += self.protocol.receive(data, now)
        self.sent += frames_of(self.protocol.take_output())
        return self

    def collect(self) -> list[Frame]:
        self.sent += frames_of(self.protocol.take_output())
        return self.sent

    @property
    def goaway(self) -> ErrorCode | None:
        return next((each.code for each in self.sent if each.kind == FrameType.GOAWAY), None)

    @property
    def resets(self) -> list[tuple[int, ErrorCode]]:
        sent = (each for each in self.sent if each.kind == FrameType.RST_STREAM)
        return [(each.stream, each.code) for each in sent]

    @property
    def requests(self) -> list[int]:
        return [each.stream for each in self.events if isinstance(each, RequestArrived)]

    def answer(self, stream: int) -> None:
        self.protocol.send_head(stream, [(b":status", b"204")], is_all=True)
        self.collect()


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_connection_begins_with_its_settings() -> None:
    protocol = Http2Protocol(70_000)
    first, second = frames_of(protocol.take_output())
    assert first.kind == FrameType.SETTINGS
    values = {
        int.from_bytes(first.payload[at : at + 2]): int.from_bytes(first.payload[at + 2 : at + 6])
        for at in range(0, len(first.payload), 6)
    }
    assert values[3] == MOST_STREAMS
    assert values[4] == STREAM_WINDOW
    assert not values.get(2)  # push
    assert not values.get(8)  # extended CONNECT
    assert second == Frame(8, 0, 0, (CONNECTION_WINDOW - 65_535).to_bytes(4))
    protocol.receive(BEGINNING, 0.0)
    assert list(frames_of(protocol.take_output())) == [Frame(FrameType.SETTINGS, ACK, 0, b"")]


def test_a_request_is_what_http1_would_have_it(server: Server) -> None:
    fields = [*GET, (b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2")]
    [event] = server.take(headers(1, fields)).events
    assert isinstance(event, RequestArrived)
    assert (event.request.method, event.request.target) == ("GET", b"/")
    assert event.request.fields == (
        (b"Host", b"localhost"), (b"x-a", b"1"), (b"cookie", b"a=1; b=2"),
    )  # fmt: skip
    assert event.has_ended


def test_content_of_no_known_length_is_chunked(server: Server) -> None:
    server.take(OPEN + data(1, b"abc") + data(1, b"de", END_STREAM))
    arrived, *content = server.events
    assert isinstance(arrived, RequestArrived)
    assert arrived.request.fields[-1] == (b"Transfer-Encoding", b"chunked")
    assert content == [ContentArrived(1, b"abc"), ContentArrived(1, b"de"), ContentEnded(1)]


@given(st.lists(st.integers(1, 40), max_size=30))
def test_bytes_may_arrive_in_any_pieces(sizes: list[int]) -> None:
    sent = BEGINNING + OPEN + data(1, b"abc") + ping() + data(1, b"d", END_STREAM) + headers(3)
    whole, pieces = Server(b""), Server(b"")
    whole.take(sent)
    for size in [*sizes, len(sent)]:
        pieces.take(sent[:size])
        sent = sent[size:]
    assert pieces.events == whole.events
    assert pieces.sent == whole.sent


CONNECTION_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "3.4: no preface": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ErrorCode.PROTOCOL_ERROR),
    "3.4: a preface without SETTINGS": (PREFACE + headers(), ErrorCode.PROTOCOL_ERROR),
    "3.4: an acknowledgement first": (PREFACE + frame(4, ACK), ErrorCode.PROTOCOL_ERROR),
    "4.2: a frame that is too large": (
        BEGINNING + frame(0, 0, 1, bytes(16_385)), ErrorCode.FRAME_SIZE_ERROR),
    "4.3: a block that cannot be read": (
        BEGINNING + frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"), ErrorCode.COMPRESSION_ERROR),
    "4.3: an index of nothing": (BEGINNING + frame(1, 5, 1, b"\xc6"), ErrorCode.COMPRESSION_ERROR),
    "4.2: HEADERS without the priority that is announced": (
        BEGINNING + frame(1, END_HEADERS | PRIORITY, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    "4.2: HEADERS without the length of its padding": (
        BEGINNING + frame(1, END_HEADERS | PADDED, 1), ErrorCode.FRAME_SIZE_ERROR),
    "4.2: DATA without the length of its padding": (
        BEGINNING + OPEN + data(1, b"", PADDED), ErrorCode.FRAME_SIZE_ERROR),
    "4.3.1: a table larger than was allowed": (
        BEGINNING + frame(1, 5, 1, b"\x3f\xe2\x1f" + block(GET)), ErrorCode.COMPRESSION_ERROR),
    "4.3: a block that cannot be read, on a stream that was reset": (
        BEGINNING + OPEN + reset(1) + frame(1, 5, 1, b"\xc6"), ErrorCode.COMPRESSION_ERROR),
    "5.1: DATA on an idle stream": (BEGINNING + data(1, b"x"), ErrorCode.PROTOCOL_ERROR),
    "5.1: RST_STREAM on an idle stream": (BEGINNING + reset(1), ErrorCode.PROTOCOL_ERROR),
    "5.1: WINDOW_UPDATE on an idle stream": (
        BEGINNING + window_update(1, 1), ErrorCode.PROTOCOL_ERROR),
    "5.1: a frame that is not known inside of a block": (
        BEGINNING + frame(1, 0, 1, block(GET)) + frame(0xFA, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "5.1.1: a stream of the server": (BEGINNING + headers(2), ErrorCode.PROTOCOL_ERROR),
    "5.1.1: a stream that is lower than another": (
        BEGINNING + headers(5) + headers(3), ErrorCode.STREAM_CLOSED),
    "6.1: DATA without a stream": (BEGINNING + data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
    "6.1: more padding than there is": (
        BEGINNING + OPEN + data(1, b"\x09abc", PADDED), ErrorCode.PROTOCOL_ERROR),
    "6.2: HEADERS without a stream": (BEGINNING + headers(0), ErrorCode.PROTOCOL_ERROR),
    "6.2: more padding than there is": (
        BEGINNING + frame(1, END_HEADERS | PADDED, 1, b"\x09abc"), ErrorCode.PROTOCOL_ERROR),
    "6.3: PRIORITY without a stream": (BEGINNING + frame(2, 0, 0, bytes(5)),
                                       ErrorCode.PROTOCOL_ERROR),
    "6.3: PRIORITY of another size": (BEGINNING + frame(2, 0, 1, bytes(4)),
                                      ErrorCode.FRAME_SIZE_ERROR),
    "6.4: RST_STREAM without a stream": (BEGINNING + reset(0), ErrorCode.PROTOCOL_ERROR),
    "6.4: RST_STREAM of another size": (
        BEGINNING + OPEN + frame(3, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "6.5: SETTINGS on a stream": (BEGINNING + frame(4, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "6.5: SETTINGS of another size": (BEGINNING + frame(4, 0, 0, bytes(5)),
                                      ErrorCode.FRAME_SIZE_ERROR),
    "6.5: an acknowledgement with content": (
        BEGINNING + frame(4, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    "6.5.2: ENABLE_PUSH of 2": (BEGINNING + setting(2, 2), ErrorCode.PROTOCOL_ERROR),
    "6.5.2: a window that is too large": (
        BEGINNING + setting(4, 2**31), ErrorCode.FLOW_CONTROL_ERROR),
    "6.5.2: frames that are too small": (BEGINNING + setting(5, 16_383), ErrorCode.PROTOCOL_ERROR),
    "6.5.2: frames that are too large": (BEGINNING + setting(5, 2**24), ErrorCode.PROTOCOL_ERROR),
    "6.6: a client that pushes": (
        BEGINNING + OPEN + frame(5, END_HEADERS, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "6.7: PING on a stream": (BEGINNING + frame(6, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "6.7: PING of another size": (BEGINNING + ping(b"1234567"), ErrorCode.FRAME_SIZE_ERROR),
    "6.8: GOAWAY of another size": (BEGINNING + frame(7, 0, 0, bytes(7)),
                                    ErrorCode.FRAME_SIZE_ERROR),
    "6.8: GOAWAY on a stream": (BEGINNING + frame(7, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "6.9: WINDOW_UPDATE of another size": (
        BEGINNING + frame(8, 0, 0, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "6.9: a window that grows by nothing": (
        BEGINNING + window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
    "6.9: a stream's window that grows by nothing": (
        BEGINNING + OPEN + window_update(1, 0), ErrorCode.PROTOCOL_ERROR),
    "6.9.1: more content than the stream's window": (
        BEGINNING + OPEN + data(1, bytes(16_384)) * (STREAM_WINDOW // 16_384) + data(1, b"x"),
        ErrorCode.FLOW_CONTROL_ERROR),
    "6.9.2: a setting that makes a window overflow": (
        BEGINNING + OPEN + window_update(1, 2**31 - 1 - 65_535) + setting(4, 65_536),
        ErrorCode.FLOW_CONTROL_ERROR),
    "6.9.1: the connection's window overflows": (
        BEGINNING + window_update(0, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
    "6.10: CONTINUATION of nothing": (BEGINNING + frame(9, END_HEADERS, 1),
                                      ErrorCode.PROTOCOL_ERROR),
    "6.10: CONTINUATION without a stream": (BEGINNING + frame(9, END_HEADERS, 0),
                                            ErrorCode.PROTOCOL_ERROR),
    "6.10: CONTINUATION of a block that has ended": (
        BEGINNING + OPEN + frame(9, END_HEADERS, 1), ErrorCode.PROTOCOL_ERROR),
    "6.10: another request inside of a block": (
        BEGINNING + frame(1, 0, 1, block(GET)) + headers(3), ErrorCode.PROTOCOL_ERROR),
    "6.10: a frame inside of a block": (
        BEGINNING + frame(1, 0, 1, block(GET)) + ping(), ErrorCode.PROTOCOL_ERROR),
    "6.10: an unknown frame inside of a block": (
        BEGINNING + frame(1, 0, 1, block(GET)) + frame(0xFA), ErrorCode.PROTOCOL_ERROR),
    "6.10: CONTINUATION of another stream": (
        BEGINNING + frame(1, 0, 1, block(GET)) + frame(9, END_HEADERS, 3),
        ErrorCode.PROTOCOL_ERROR),
    "10.5.1: a block without an end": (
        BEGINNING + frame(1, 0, 1, block(GET)) + frame(9, 0, 1, bytes(16_384)) * 20,
        ErrorCode.ENHANCE_YOUR_CALM),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "code"), CONNECTION_ERRORS.values(), ids=CONNECTION_ERRORS)
def test_connection_errors_end_the_connection(sent: bytes, code: ErrorCode) -> None:
    server = Server(b"").take(sent)
    assert server.goaway is code
    assert server.protocol.fault is not None
    assert server.take(headers(99)).requests[-1:] != [99]


STREAM_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "5.1: DATA behind the end": (headers(1) + data(1, b"x"), ErrorCode.STREAM_CLOSED),
    "5.1: HEADERS behind the end": (headers(1) + headers(1), ErrorCode.STREAM_CLOSED),
    "6.9.1: a window that overflows": (
        OPEN + window_update(1, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
    "8.1: trailers that end nothing": (
        OPEN + headers(1, [(b"x-a", b"1")], END_HEADERS), ErrorCode.PROTOCOL_ERROR),
    "8.1: trailers behind the end": (
        headers(1) + headers(1, [(b"x-a", b"1")]), ErrorCode.STREAM_CLOSED),
    "8.1: trailers that HTTP/1.1 could not carry": (
        OPEN + headers(1, [(b"x-a", b"1\r\nb: c")]), ErrorCode.PROTOCOL_ERROR),
    "8.1: trailers about the connection": (
        OPEN + headers(1, [(b"connection", b"close")]), ErrorCode.PROTOCOL_ERROR),
    "8.1: trailers with a pseudo-header": (OPEN + headers(1, GET), ErrorCode.PROTOCOL_ERROR),
    "8.1.1: less content than was announced": (
        headers(1, [*POST, (b"content-length", b"5")], END_HEADERS) + data(1, b"abc", END_STREAM),
        ErrorCode.PROTOCOL_ERROR),
    "8.1.1: more content than was announced": (
        headers(1, [*POST, (b"content-length", b"2")], END_HEADERS) + data(1, b"abc"),
        ErrorCode.PROTOCOL_ERROR),
    "8.1.1: content that was announced and is not there": (
        headers(1, [*POST, (b"content-length", b"5")]), ErrorCode.PROTOCOL_ERROR),
    "8.1.1: trailers in place of content": (
        headers(1, [*POST, (b"content-length", b"5")], END_HEADERS)
        + headers(1, [(b"x-a", b"1")]), ErrorCode.PROTOCOL_ERROR),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "code"), STREAM_ERRORS.values(), ids=STREAM_ERRORS)
def test_stream_errors_end_only_the_stream(server: Server, sent: bytes, code: ErrorCode) -> None:
    server.take(sent)
    assert server.resets == [(1, code)]
    assert server.goaway is None
    assert server.take(headers(3)).requests[-1] == 3
    begun = 1 in server.requests
    assert (StreamEnded(1) in server.events) == begun


IGNORED: dict[str, bytes] = {
    "5.1: what follows a reset of the client's": OPEN + reset(1) + window_update(1, 5) + reset(1),
    "4.1: a reserved bit": frame(6, 0, 2**31, bytes(8)) + frame(8, 0, 2**31, (5).to_bytes(4)),
    "4.1: flags that mean nothing": (
        frame(1, 0xD2 | END_HEADERS, 1, block(POST)) + data(1, b"x", 0xF6 & ~PADDED)
        + frame(6, 0xFE, 0, bytes(8)) + frame(4, 0xFE) + frame(3, 0xFF, 1, bytes(4))),
    "4.3: a block on a stream that was reset, whose fields are named later": (
        OPEN + reset(1) + frame(1, 5, 1, b"\x40\x03x-a\x011")
        + frame(1, 5, 3, block(GET) + b"\xbe")),
    "5.1: PRIORITY on a stream that is over": (
        OPEN + reset(1) + frame(2, 0, 1, bytes(5)) + frame(2, 0, 99, bytes(5))),
    "5.4: error codes that are not known": OPEN + frame(3, 0, 1, b"\xfa\xfa\xfa\xfa"),
    "6.5.2: pushing is allowed, or not": setting(2, 1) + setting(2, 0),
    "6.5.2: the largest frames, and lists of any size": setting(5, 2**24 - 1) + setting(6, 0),
    "6.5.3: the answer to SETTINGS": frame(4, ACK),
    "5.5: a frame that is not known": frame(0xFA, 0xFF, 7, b"anything"),
    "6.3: priorities, also of oneself": frame(2, 0, 3, (3).to_bytes(4) + b"\xff"),
    "6.5.2: a setting that is not known": setting(0xFAFA, 7),
    "6.7: PING that is an answer": ping(flags=ACK),
    "6.9: WINDOW_UPDATE": window_update(0, 5),
    "8.1: trailers": OPEN + data(1, b"x") + headers(1, [(b"x-a", b"1")]),
    "padding": frame(1, END_HEADERS | PADDED | PRIORITY, 1,
                     b"\x03" + bytes(5) + block(POST) + bytes(3))
               + data(1, b"\x02abc\x00\x00", PADDED | END_STREAM),
    "a block in pieces": b"".join([
        frame(1, END_STREAM, 1, block(GET)[:3]), frame(9, 0, 1, block(GET)[3:9]),
        frame(9, END_HEADERS, 1, block(GET)[9:])]),
}  # fmt: skip


@pytest.mark.parametrize("sent", IGNORED.values(), ids=IGNORED)
def test_valid_frames_end_nothing(server: Server, sent: bytes) -> None:
    server.take(sent)
    assert (server.resets, server.goaway) == ([], None)
    assert server.take(headers(9)).requests[-1] == 9


def test_padding_is_no_content(server: Server) -> None:
    server.take(OPEN + data(1, b"\x02abc\x00\x00", PADDED | END_STREAM))
    assert server.events[1:] == [ContentArrived(1, b"abc"), ContentEnded(1)]


def test_a_ping_is_answered_with_what_it_holds(server: Server) -> None:
    assert server.take(ping(b"abcdefgh")).sent == [Frame(FrameType.PING, ACK, 0, b"abcdefgh")]


# What each peer may cost


def cancelled() -> Iterator[bytes]:
    for stream in range(1, 2001, 2):
        yield headers(stream) + reset(stream)


def made_to_reset() -> Iterator[bytes]:
    """MadeYouReset: it is the server that resets the streams."""
    for stream in range(1, 2001, 2):
        yield headers(stream, POST, END_HEADERS) + window_update(stream, 2**31 - 1)


def malformed() -> Iterator[bytes]:
    for stream in range(1, 4001, 2):
        yield headers(stream, [*GET, (b"Upper", b"1")])


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "1,000 cancelled requests": cancelled,
    "1,000 streams that the server has to reset": made_to_reset,
    "2,000 malformed heads": malformed,
    "10,000 SETTINGS": lambda: iter([SETTINGS] * 10_000),
    "20,000 PINGs": lambda: iter([ping()] * 20_000),
    "20,000 answers to no PING": lambda: iter([ping(flags=ACK)] * 20_000),
    "20,000 empty frames": lambda: iter([OPEN, *[data(1)] * 20_000]),
    "100,000 pieces of content": lambda: iter([OPEN, *[data(1, b"x")] * 100_000]),
    "20,000 empty CONTINUATIONs": lambda: iter(
        [frame(1, 0, 1, block(GET)), *[frame(9, 0, 1)] * 20_000]
    ),
    "20,000 priorities": lambda: iter([frame(2, 0, 1, bytes(5))] * 20_000),
    "20,000 unknown frames": lambda: iter([frame(0xFA)] * 20_000),
    "100,000 windows": lambda: iter([window_update(0, 1)] * 100_000),
    "20,000 frames behind a reset": lambda: iter([OPEN, reset(1), *[data(1, b"x")] * 20_000]),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_the_connection(server: Server, flood: Callable[[], Iterator[bytes]]) -> None:
    for number, sent in enumerate(flood()):
        # Ten thousand a second is what a peer manages.
        server.take(sent, now=number / 10_000)
        if server.protocol.fault is not None:
            break
    assert server.goaway is ErrorCode.ENHANCE_YOUR_CALM


def test_cancels_over_time_survive(server: Server) -> None:
    for number in range(2000):
        server.take(headers(2 * number + 1) + reset(2 * number + 1), now=number / 4)
    assert server.goaway is None


def test_200_cancels_at_once_survive(server: Server) -> None:
    for number in range(200):
        server.take(headers(2 * number + 1) + reset(2 * number + 1), now=0.0)
    assert server.goaway is None


def test_many_small_pieces_survive(server: Server) -> None:
    server.take(OPEN)
    for _ in range(40_000):
        server.take(data(1, b"x"))
        server.protocol.acknowledge(1, 1)
    assert (server.goaway, server.resets) == (None, [])


def test_one_stream_too_many_is_refused_and_may_be_tried_again(server: Server) -> None:
    for number in range(MOST_STREAMS):
        server.take(headers(2 * number + 1))
    extra = 2 * MOST_STREAMS + 1
    assert server.take(headers(extra)).resets == [(extra, ErrorCode.REFUSED_STREAM)]
    server.answer(1)
    assert server.take(headers(extra + 2)).requests[-1] == extra + 2


def test_too_many_fields_are_reported(server: Server) -> None:
    fields = [*GET, *[(b"x-%d" % number, b"y" * 1000) for number in range(100)]]
    sent = block(fields)
    parts = [sent[at : at + 16_384] for at in range(0, len(sent), 16_384)]
    server.take(frame(1, END_STREAM, 1, parts[0]))
    for part in parts[1:-1]:
        server.take(frame(9, 0, 1, part))
    [event] = server.take(frame(9, END_HEADERS, 1, parts[-1])).events
    assert isinstance(event, RequestArrived)
    assert event.is_too_large
    assert sum(len(value) for _, value in event.request.fields) < 70_000


def test_a_header_bomb_is_limited(server: Server) -> None:
    """One large entry of the table, named again and again."""
    large = b"\x40\x03x-a\x7f\xa1\x1e" + b"y" * 4000
    sent = block(GET) + large + b"\xbe" * 12_000
    server.take(frame(1, END_STREAM | END_HEADERS, 1, sent))
    [event] = server.events
    assert isinstance(event, RequestArrived)
    assert event.is_too_large
    assert len(event.request.fields) < 20


# Windows


def test_content_is_sent_as_far_as_the_windows_reach(server: Server) -> None:
    server.take(headers(1))
    server.protocol.send_head(1, [(b":status", b"200")], is_all=False)
    assert server.protocol.window(1) == 65_535
    server.protocol.send_content(1, bytes(65_535), is_all=False)
    assert server.protocol.window(1) == 0
    server.take(window_update(1, 100))
    assert server.protocol.window(1) == 0
    server.take(window_update(0, 60))
    assert server.protocol.window(1) == 60
    server.protocol.send_content(1, bytes(60), is_all=True)
    content = [each for each in server.collect() if each.kind == FrameType.DATA]
    assert sum(len(each.payload) for each in content) == 65_595
    assert [each.flags for each in content] == [0] * (len(content) - 1) + [END_STREAM]


def test_the_clients_window_follows_what_is_taken(server: Server) -> None:
    server.take(OPEN)
    piece = data(1, bytes(16_384))
    for _ in range(STREAM_WINDOW // 16_384):
        server.take(piece)
    assert not server.sent
    assert server.goaway is None
    server.protocol.acknowledge(1, STREAM_WINDOW)
    assert Frame(8, 0, 1, STREAM_WINDOW.to_bytes(4)) in server.collect()


def test_exceeding_the_window_is_a_connection_error(server: Server) -> None:
    server.take(OPEN)
    for _ in range(STREAM_WINDOW // 16_384 + 1):
        server.take(data(1, bytes(16_384)))
    assert server.goaway is ErrorCode.FLOW_CONTROL_ERROR


def test_untaken_content_of_an_ended_stream_frees_the_window(server: Server) -> None:
    for stream in range(1, 41, 2):
        server.take(headers(stream, POST, END_HEADERS))
        for _ in range(STREAM_WINDOW // 16_384):
            server.take(data(stream, bytes(16_384)))
        server.answer(stream)
        # What was on its way when the stream was reset.
        server.take(data(stream, bytes(16_384)))
    assert server.goaway is None
    opened = [each for each in server.sent if (each.kind, each.stream) == (8, 0)]
    assert sum(int.from_bytes(each.payload) for each in opened) > 20 * STREAM_WINDOW - 2**21


def test_settings_take_effect_in_their_order(server: Server) -> None:
    server.take(headers(1))
    values = [(4, 0), (4, 100)]
    payload = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values)
    server.take(frame(4, 0, 0, payload))
    assert server.sent[-1] == Frame(FrameType.SETTINGS, ACK, 0, b"")
    assert server.protocol.window(1) == 100


def test_a_smaller_window_holds_for_what_has_begun(server: Server) -> None:
    server.take(headers(1))
    server.protocol.send_head(1, [(b":status", b"200")], is_all=False)
    server.protocol.send_content(1, bytes(1000), is_all=False)
    server.take(setting(4, 400))
    assert server.protocol.window(1) == 0
    server.take(window_update(1, 700))
    assert server.protocol.window(1) == 100


def test_frames_are_no_larger_than_the_client_takes(server: Server) -> None:
    server.take(headers(1))
    server.protocol.send_head(1, [(b":status", b"200")], is_all=False)
    server.protocol.send_content(1, bytes(40_000), is_all=True)
    content = [len(each.payload) for each in server.collect() if each.kind == FrameType.DATA]
    assert (max(content), sum(content)) == (16_384, 40_000)


# Ends


@pytest.mark.parametrize(
    "late",
    [window_update(1, 5), reset(1), frame(2, 0, 1, bytes(5))],
    ids=["WINDOW_UPDATE", "RST_STREAM", "PRIORITY"],
)
def test_late_frames_are_ignored(server: Server, late: bytes) -> None:
    server.take(headers(1))
    server.answer(1)
    assert server.take(late + headers(3)).requests == [1, 3]
    assert (server.resets, server.goaway) == ([], None)


@pytest.mark.parametrize("late", [data(1, b"x"), headers(1)], ids=["DATA", "HEADERS"])
def test_frames_after_both_ends_are_a_connection_error(server: Server, late: bytes) -> None:
    server.take(headers(1))
    server.answer(1)
    assert server.take(late).goaway is ErrorCode.STREAM_CLOSED


def test_the_first_goaway_tells_the_last_request(server: Server) -> None:
    server.take(headers(1) + headers(5) + data(0, b"x"))
    assert server.sent[-1].payload[:4] == (5).to_bytes(4)


def test_an_early_answer_ends_the_request_without_fault(server: Server) -> None:
    server.take(OPEN + data(1, b"abc"))
    server.answer(1)
    head, ended = (each for each in server.sent if each.kind in (1, 3))
    assert (head.kind, head.flags) == (1, END_STREAM | END_HEADERS)
    assert ended.code is ErrorCode.NO_ERROR
    assert server.protocol.window(1) == 0


def test_a_reset_does_not_look_like_an_end(server: Server) -> None:
    server.take(headers(1))
    server.protocol.send_head(1, [(b":status", b"200")], is_all=False)
    server.protocol.send_content(1, b"half", is_all=False)
    server.protocol.reset(1, ErrorCode.INTERNAL_ERROR)
    assert all(not each.flags & END_STREAM for each in server.collect())
    assert server.resets == [(1, ErrorCode.INTERNAL_ERROR)]


def test_after_goaway_open_requests_are_answered(server: Server) -> None:
    server.take(headers(1) + headers(3))
    server.protocol.leave()
    server.protocol.leave()
    [goaway] = server.collect()
    assert (goaway.payload[:4], goaway.code) == ((3).to_bytes(4), ErrorCode.NO_ERROR)
    assert server.take(headers(5)).requests == [1, 3]
    server.answer(3)
    assert server.sent[-1].kind == FrameType.HEADERS


def test_after_the_warning_requests_are_answered_until_the_ping_returns(server: Server) -> None:
    server.take(headers(1))
    server.protocol.warn()
    server.protocol.warn()
    goaway, asked = server.collect()
    assert (goaway.payload[:4], goaway.code) == ((2**31 - 1).to_bytes(4), ErrorCode.NO_ERROR)
    assert server.take(ping(flags=ACK) + headers(3)).requests == [1, 3]
    assert not server.protocol.is_leaving
    server.take(ping(asked.payload, ACK) + headers(5))
    assert server.requests == [1, 3]
    last = server.sent[-1]
    assert (last.payload[:4], last.code) == ((3).to_bytes(4), ErrorCode.NO_ERROR)
    server.answer(3)
    assert server.sent[-1].kind == FrameType.HEADERS


def test_a_client_that_leaves_gets_its_answers(server: Server) -> None:
    server.take(headers(1) + frame(FrameType.GOAWAY, payload=bytes(8)))
    assert server.protocol.client_leaves
    server.answer(1)
    assert server.sent[-1].kind == FrameType.HEADERS


def test_the_size_of_the_clients_table_makes_no_difference(server: Server) -> None:
    server.take(setting(1, 2**31 - 1) + setting(1, 0) + headers(1))
    server.answer(1)
    assert server.goaway is None
    # The first block says that no table is kept.
    assert server.sent[-1].payload[0] == 0x20


@given(st.binary(max_size=400))
def test_no_bytes_are_a_fault_of_ours(noise: bytes) -> None:
    server = Server()
    server.take(noise)
    server.take(headers(2**20 + 1))


@given(
    st.lists(
        st.builds(
            frame,
            st.integers(0, 10),
            st.sampled_from([0, 1, 4, 5, 8, 12, 0x20, 0x25, 0xFF]),
            st.sampled_from([0, 1, 3, 5, 2, 2**31 - 1]),
            st.one_of(st.binary(max_size=12), st.sampled_from([block(GET), block(POST), bytes(8)])),
        ),
        max_size=12,
    )
)
def test_no_frames_are_a_fault_of_ours(frames: list[bytes]) -> None:
    server = Server()
    for each in frames:
        server.take(each)
        for event in list(server.events):
            if isinstance(event, RequestArrived):
                server.protocol.send_head(event.stream, [(b":status", b"200")], is_all=False)
                server.protocol.send_content(event.stream, b"x", is_all=True)
        server.events.clear()
        server.collect()
