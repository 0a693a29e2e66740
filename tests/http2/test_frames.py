"""Reading and writing frames. Errors are in test_protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.http2.frames import (
    PREFACE,
    ConnectionFaultError,
    ErrorCode,
    Frame,
    FrameReader,
    FrameType,
    frame,
)

frames = st.lists(
    st.builds(frame, st.sampled_from(FrameType), st.integers(0, 255), st.integers(0, 2**31 - 1),
              st.binary(max_size=50)),
    max_size=6,
)  # fmt: skip


@given(frames, st.lists(st.integers(1, 60), max_size=20))
def test_frames_are_read_as_they_were_written(written: list[bytes], sizes: list[int]) -> None:
    reader, sent, found = FrameReader(), PREFACE + b"".join(written), list[Frame]()
    for size in [*sizes, len(sent)]:
        found += reader.read(sent[:size])
        sent = sent[size:]
    assert [each.data for each in found] == written
    assert all(len(each.payload) == each.size for each in found)
    assert not reader.is_unfinished


def test_too_large_a_frame_is_refused_by_its_header() -> None:
    reader = FrameReader()
    with pytest.raises(ConnectionFaultError) as fault:
        list(reader.read(PREFACE + (16_385).to_bytes(3) + bytes(6)))
    assert fault.value.code is ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize(
    ("data", "is_unfinished"),
    [
        (b"", True),
        (PREFACE[:5], True),
        (PREFACE, False),
        (PREFACE + b"\0\0", True),
        (PREFACE + frame(FrameType.HEADERS, 0, 1, b"abc")[:-1], True),
        (PREFACE + frame(FrameType.DATA, 0, 1, b"abc")[:-1], False),
    ],
)
def test_an_unfinished_frame_is_known(data: bytes, is_unfinished: bool) -> None:
    reader = FrameReader()
    list(reader.read(data))
    assert reader.is_unfinished is is_unfinished
