"""Where WebSocket frames end: any frames, in any pieces, both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

from corsproxy.shell.streams.websocket_frames import GOING_AWAY, FrameTracker, close_frame

MASKED = pytest.mark.parametrize("masked", [True, False])

opcodes = st.sampled_from([Opcode.CONT, Opcode.TEXT, Opcode.BINARY])
controls = st.sampled_from([Opcode.PING, Opcode.PONG])
frames = st.one_of(
    st.builds(Frame, opcodes, st.binary(max_size=300), st.booleans()),
    st.builds(Frame, opcodes, st.sampled_from([125, 126, 127, 65535, 65536]).map(bytes)),
    st.builds(Frame, controls, st.binary(max_size=125)),
)


def serialized(frame: Frame, masked: bool, *, compressed: bool = False) -> bytes:
    """The frame's bytes; `compressed` sets the bit that permessage-deflate uses (RFC 7692, 6)."""
    first, *rest = frame.serialize(mask=masked)
    return bytes([first | 0x40 if compressed else first, *rest])


@MASKED
@given(sent=st.lists(frames, min_size=1, max_size=5), data=st.data())
def test_a_boundary_is_where_every_frame_is_complete(
    masked: bool, sent: list[Frame], data: st.DataObject
) -> None:
    compressed = data.draw(st.booleans())
    pieces = [serialized(frame, masked, compressed=compressed) for frame in sent]
    stream = b"".join(pieces)
    ends = {sum(map(len, pieces[: count + 1])) for count in range(len(pieces))}
    cuts = data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)) | {len(stream)}
    tracker = FrameTracker(masked=masked)
    start = 0
    for cut in sorted(cuts):
        piece = stream[start:cut]
        if data.draw(st.booleans()):
            tracker.feed(piece)
        else:
            behind = [end - start for end in ends if start < end <= cut]
            assert tracker.feed_frames(piece) == max(behind, default=0)
        assert tracker.at_boundary is (cut in ends)
        assert not tracker.closed
        start = cut


@MASKED
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 131, 132, 65535, 65536])
def test_one_frame_in_one_piece(masked: bool, size: int) -> None:
    tracker = FrameTracker(masked=masked)
    frame = serialized(Frame(Opcode.BINARY, bytes(size)), masked)
    boundaries = []
    for piece in (frame, frame[:-1], frame[-1:]):
        tracker.feed(piece)
        boundaries.append(tracker.at_boundary)
    assert boundaries == [True, False, True]


@MASKED
@pytest.mark.parametrize("reason", ["", "x", "x" * 123])
def test_a_close_counts_once_it_is_complete(masked: bool, reason: str) -> None:
    close = serialized(Frame(Opcode.CLOSE, Close(1000, reason).serialize()), masked)
    text = serialized(Frame(Opcode.TEXT, b"hello"), masked)
    for whole in (close, text + close):
        tracker = FrameTracker(masked=masked)
        tracker.feed(whole[:-1])
        assert (tracker.at_boundary, tracker.closed) == (False, False)
        tracker.feed(whole[-1:])
        assert (tracker.at_boundary, tracker.closed) == (True, True)
    tracker = FrameTracker(masked=masked)
    tracker.feed(close)
    assert tracker.closed


@pytest.mark.parametrize(
    ("masked", "data"),
    [
        (True, b"\x81\x05hello"),
        (False, b"\x81\x85keyshello"),
        (True, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (False, b"HTTP/1.1 200 OK\r\n\r\n"),
        (False, b"\x08\x02\x03\xe9"),
        (False, b"\x89\x7e\x00\x80" + bytes(128)),
        (False, b"\x82\x7f" + b"\xff" * 8),
    ],
)
def test_what_is_no_frame_has_no_boundary_any_more(masked: bool, data: bytes) -> None:
    for start in (data, data[:1]):
        tracker = FrameTracker(masked=masked)
        tracker.feed(start)
        tracker.feed(data[len(start) :] or b"\x00")
        for _ in range(3):
            tracker.feed(serialized(Frame(Opcode.CLOSE, b"\x03\xe9"), masked))
        assert not tracker.at_boundary
        assert not tracker.closed


@given(data=st.lists(st.binary(min_size=1, max_size=40), max_size=8), masked=st.booleans())
def test_any_bytes_can_be_followed(data: list[bytes], masked: bool) -> None:
    tracker = FrameTracker(masked=masked)
    for piece in data:
        whole = tracker.feed_frames(piece)
        assert 0 <= whole <= len(piece)
        assert not tracker.at_boundary or whole == len(piece)


@pytest.mark.parametrize(("masked", "reader"), [(True, SERVER), (False, CLIENT)])
def test_the_own_close_frame_is_read_by_others(masked: bool, reader: object) -> None:
    protocol = Protocol(SERVER if reader is SERVER else CLIENT)
    protocol.receive_data(close_frame(GOING_AWAY, masked=masked))
    assert protocol.close_rcvd == Close(1001, "")


def test_a_masking_key_is_not_used_twice() -> None:
    assert len({close_frame(GOING_AWAY, masked=True) for _ in range(8)}) > 1
