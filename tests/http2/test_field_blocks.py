"""Blocks in one frame and in several. Errors are in test_protocol."""

import pytest

from corsproxy.http2.field_blocks import BlockReader, FieldSection
from corsproxy.http2.frames import ConnectionFaultError, ErrorCode, Frame
from tests.http2.frames import END_HEADERS, END_STREAM, GET, block


def read(kind: int, flags: int, payload: bytes) -> Frame:
    return Frame(kind, flags, 1, len(payload), bytes(9) + payload)


def test_a_block_may_come_in_pieces() -> None:
    reader, sent = BlockReader(70_000), block(GET)
    assert reader.headers(read(1, END_STREAM, sent[:4])) is None
    assert reader.is_unfinished
    assert reader.continuation(read(9, 0, sent[4:9])) is None
    section = reader.continuation(read(9, END_HEADERS, sent[9:]))
    assert section == FieldSection(1, GET, has_ended=True, is_too_large=False)
    assert not reader.is_unfinished


@pytest.mark.parametrize("payload", [b"", bytes(16_384)])
def test_a_block_has_an_end(payload: bytes) -> None:
    reader = BlockReader(70_000)
    reader.headers(read(1, 0, b""))

    def go_on() -> None:
        for _ in range(100):
            reader.continuation(read(9, 0, payload))

    with pytest.raises(ConnectionFaultError) as fault:
        go_on()
    assert fault.value.code is ErrorCode.ENHANCE_YOUR_CALM
