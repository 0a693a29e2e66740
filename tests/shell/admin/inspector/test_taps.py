import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from corsproxy.shell.admin.inspector.exchanges import MOST_OF_MESSAGE, Direction, Message
from corsproxy.shell.admin.inspector.taps import EventTap, WebSocketTap


def frame(
    data: bytes, opcode: Opcode = Opcode.TEXT, *, masked: bool = False, fin: bool = True
) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=masked)


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    cut, at = [], 0
    for size in sizes:
        cut.append(data[at : at + size])
        at += size
    return [*cut, data[at:]]


def heard(
    data: bytes,
    *,
    direction: Direction = Direction.TO_CLIENT,
    extensions: str = "",
    sizes: Sequence[int] = (),
) -> list[tuple[str, bytes, int]]:
    found: list[Message] = []
    tap = WebSocketTap(direction, found.append, extensions=extensions, clock=lambda: 0.0)
    for piece in pieces(data, sizes):
        tap.feed(piece)
    return [(message.kind, message.data, message.size) for message in found]


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG]),
        st.binary(max_size=125),
    ),
    max_size=8,
)


@given(MESSAGES, st.booleans(), st.lists(st.integers(1, 40), max_size=12))
def test_messages_are_read_however_they_are_split(
    messages: Sequence[tuple[Opcode, bytes]], masked: bool, sizes: Sequence[int]
) -> None:
    data = b"".join(frame(content, opcode, masked=masked) for opcode, content in messages)
    expected = [(opcode.name.lower(), content, len(content)) for opcode, content in messages]
    assert heard(data, sizes=sizes) == expected


def test_fragments_are_one_message_with_control_frames_between_them() -> None:
    data = (
        frame(b"one ", fin=False)
        + frame(b"!", Opcode.PING)
        + frame(b"two ", Opcode.CONT, fin=False)
        + frame(b"three", Opcode.CONT)
    )
    assert heard(data) == [("ping", b"!", 1), ("text", b"one two three", 13)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", [126, 70_000])
def test_the_beginning_of_a_long_message_is_kept(masked: bool, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    data = frame(content[:size], Opcode.BINARY, masked=masked)
    kept = content[: min(size, MOST_OF_MESSAGE)]
    assert heard(data, sizes=[7, 1000]) == [("binary", kept, size)]


def deflated(contents: Sequence[bytes], *, keeps_context: bool = True) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = b""
    for content in contents:
        if not keeps_context:
            compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)
        whole = bytearray(frame(packed[:-4]))
        whole[0] |= 0x40
        data += bytes(whole)
    return data


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans(), st.lists(st.integers(1, 50)))
def test_compressed_messages_are_inflated(
    contents: Sequence[bytes], keeps_context: bool, sizes: Sequence[int]
) -> None:
    extensions = "permessage-deflate"
    if not keeps_context:
        extensions += "; server_no_context_takeover"
    data = deflated(contents, keeps_context=keeps_context)
    found = heard(data, extensions=extensions, sizes=sizes)
    assert found == [("text", content, len(content)) for content in contents]


def test_a_bomb_in_a_message_ends_the_listening_to_compressed_ones() -> None:
    data = deflated([bytes(30_000_000), b"later"]) + frame(b"plain")
    found = heard(data, extensions="permessage-deflate")
    assert [kind for kind, _, _ in found] == ["text"]


@pytest.mark.parametrize(
    "data",
    [b"\x83\x00", b"\xc1\x01a", b"\x80\x00", frame(b"a", fin=False) + frame(b"b")],
    ids=["reserved opcode", "compressed without an agreement", "continues nothing", "begins twice"],
)
def test_after_invalid_frames_it_is_silent(data: bytes) -> None:
    found = heard(data + frame(b"later"))
    assert all(content != b"later" for _, content, _ in found)


@given(st.binary(max_size=300), st.sampled_from(["", "permessage-deflate"]))
def test_arbitrary_bytes_do_not_break_the_websocket_tap(data: bytes, extensions: str) -> None:
    heard(data, extensions=extensions, sizes=[3, 5])


def events(data: bytes, sizes: Sequence[int] = ()) -> list[tuple[str, bytes, str]]:
    found: list[Message] = []
    tap = EventTap(found.append, clock=lambda: 0.0)
    for piece in pieces(data, sizes):
        tap.feed(piece)
    return [(message.kind, message.data, message.id) for message in found]


STREAM = (
    b"\xef\xbb\xbf: a comment\n\ndata: one\n\nevent: order\r\nid: 7\r\ndata:two\r\ndata: lines\r\n"
    b"\r\nretry: 5\ndata\n\nid: 8\rdata: three\r\rdata: not ended"
)


@given(st.lists(st.integers(1, 20), max_size=20))
def test_events_are_read_however_they_are_split(sizes: Sequence[int]) -> None:
    assert events(STREAM, sizes) == [
        ("message", b"one", ""),
        ("order", b"two\nlines", "7"),
        ("message", b"", "7"),
        ("message", b"three", "8"),
    ]


def test_the_beginning_of_a_long_event_is_kept() -> None:
    found: list[Message] = []
    tap = EventTap(found.append)
    tap.feed(b"data: ")
    for _ in range(100):
        tap.feed(b"x" * 10_000)
    tap.feed(b"\n\n")
    (message,) = found
    assert (len(message.data), message.size) == (MOST_OF_MESSAGE, 1_000_000)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_do_not_break_the_event_tap(data: bytes) -> None:
    events(data, [1, 2, 3])
