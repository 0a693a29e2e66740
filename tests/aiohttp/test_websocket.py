"""aiohttp/websocket.py: messages as frames, and frames as messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.aiohttp.websocket import FrameReader, frame
from corsproxy.shell.streams.websocket_frames import FrameTracker
from tests.aiohttp.embedded import server_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_is_one_masked_frame(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    data = frame(2, content[:size])
    tracker = FrameTracker(masked=True)
    tracker.feed(data)
    assert tracker.at_boundary
    assert not tracker.lost
    key = data[-size - 4 : -size] if size else data[-4:]
    assert (
        bytes(byte ^ key[at % 4] for at, byte in enumerate(data[len(data) - size :]))
        == (content[:size])
    )


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50))
def test_messages_do_not_depend_on_how_frames_are_split(contents: list[bytes], size: int) -> None:
    data = b"".join(server_frame(2, each) for each in contents)
    reader, found = FrameReader(), list[tuple[int, bytes]]()
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    assert found == [(2, each) for each in contents]


def test_fragments_become_one_message_and_control_frames_pass_between_them() -> None:
    data = (
        server_frame(1, b"one ", final=False)
        + server_frame(9, b"ping")
        + server_frame(0, b"two ", final=False)
        + server_frame(0, b"three")
    )
    assert FrameReader().feed(data) == [(9, b"ping"), (1, b"one two three")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x82\x81\x00\x00\x00\x00a", 1002),
        (b"\xc2\x01a", 1002),
        (server_frame(0, b"a"), 1002),
        (server_frame(3, b"a"), 1002),
        (server_frame(11, b"a"), 1002),
        (server_frame(1, b"a", final=False) + server_frame(1, b"b"), 1002),
        (server_frame(9, b"a", final=False), 1002),
        (b"\x82\x7f" + (5 * 1024 * 1024).to_bytes(8, "big"), 1009),
    ],
)
def test_an_invalid_server_frame_ends_it(data: bytes, status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        FrameReader().feed(data)
