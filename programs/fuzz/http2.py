"""Targets: a client's HTTP/2 frames, and the field blocks in them."""

import asyncio
import re
from collections.abc import Iterator

from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError

from corsproxy.core.messages import Field
from corsproxy.http2.events import ContentArrived, Event
from corsproxy.http2.field_coding import FieldCodingError, FieldDecoder, FieldEncoder
from corsproxy.http2.frames import PREFACE, FrameType
from corsproxy.http2.protocol import Http2Protocol
from corsproxy.http2.stream_states import CONNECTION_WINDOW
from corsproxy.shell.listener.http2_connection import Http2Connection
from corsproxy.shell.listener.server import ProxyServer
from programs.fuzz.connections import Wire
from programs.fuzz.draw import Draw
from programs.fuzz.wire import cut, pieces_of
from tests.fakes import FakeUpstream, echo
from tests.http2.frames import (
    END_HEADERS,
    END_STREAM,
    GET,
    POST,
    SETTINGS,
    Frame,
    frame,
    frames_of,
    setting,
)
from tests.policies import PAGE, policy

NAMES = (
    b":method", b":scheme", b":authority", b":path", b":protocol", b":status", b"host", b"cookie",
    b"content-length", b"transfer-encoding", b"te", b"connection", b"expect", b"origin", b"x-a",
    b"upgrade", b"X-A", b"x\r\ny", b"", b"access-control-request-method", b"via", b"x a", b"x\0",
)  # fmt: skip
VALUES = (
    b"GET", b"POST", b"https", b"localhost", b"/", b"/a", b"*", b"0", b"3", b"chunked", b"trailers",
    b"OPTIONS", b"CONNECT", PAGE.encode(), b"https://evil.example", b"100-continue", b"a\r\nb: c",
    b"a\0", b" x", b"", b"\xff", b"PUT", b"HEAD", b"http", b"/ HTTP/1.1\r\n", b"TRACE", b"GET /x",
)  # fmt: skip
BLOCK_WORDS = (
    b"\x82", b"\x84", b"\x87", b"\x41\x09localhost", b"\x40\x01x\x01y", b"\x00\x01x\x01y", b"\xbe",
    b"\x10\x01x\x01y", b"\x20", b"\x3f\xe1\x1f", b"\x3f\xe1\x7f", b"\xff\xff\xff\xff\x0f", b"\x0f",
    b"\x40\x01x\x83\xa0\xff\xff", b"\x41\x86\xa0\xe4\x1d\x13\x9d\x09", b"\x7f\x00\x01y",
)  # fmt: skip
_STREAMS = (1, 1, 3, 5, 7, 9, 0, 2, 2**31 - 1)
_SIZES = (0, 1, 5, 65_535, 2**24, 2**31 - 1)
_FLAGS = (END_STREAM | END_HEADERS, END_HEADERS, END_STREAM, 0, 8 | 4, 8 | 5, 0x20 | 5, 0xFF)


def drawn_frames(data: bytes) -> tuple[bytes, list[int]]:
    """A connection's bytes, and where to split them."""
    draw, encoder, sent = Draw(data), Encoder(), PREFACE + SETTINGS
    cuts = [256 * draw.number(7) + each for each in cut(draw)]
    while draw:
        sent += drawn_frame(draw, encoder) * draw.pick((1, 1, 1, 1, 2, 130))
    return sent, cuts


def drawn_frame(draw: Draw, encoder: Encoder) -> bytes:
    kind, stream = draw.number(12), draw.pick(_STREAMS)
    match kind:
        case 0 | 1 | 2:
            return frame(FrameType.HEADERS, draw.pick(_FLAGS), stream, drawn_block(draw, encoder))
        case 3 | 4:
            content = draw.pick((b"", b"abc", bytes(1000), bytes(16_384))) or draw.string()
            return frame(FrameType.DATA, draw.pick((0, END_STREAM, 8, 9)), stream, content)
        case 5:
            return frame(FrameType.WINDOW_UPDATE, 0, stream, draw.pick(_SIZES).to_bytes(4))
        case 6:
            return frame(FrameType.RST_STREAM, 0, stream, draw.number(20).to_bytes(4))
        case 7:
            return setting(draw.number(8), draw.pick((*_SIZES, 16_384, 4096)))
        case 8:
            return frame(FrameType.CONTINUATION, draw.pick(_FLAGS), stream, draw.string())
        case 9:
            return frame(FrameType.PING, draw.flag(), 0, draw.pick((b"12345678", b"lastcall")))
        case 10:
            return draw.string()
        case 11:
            return frame(draw.number(12), draw.number(), stream, draw.string())
        case _:
            # A valid request, whatever the rest is.
            block = encoder.encode([*draw.pick((GET, POST)), (b"origin", PAGE.encode())])
            return frame(FrameType.HEADERS, draw.pick(_FLAGS[:2]), stream, block)


def drawn_block(draw: Draw, encoder: Encoder) -> bytes:
    fields: list[Field] = list(draw.pick((GET, POST, [])))
    for _ in range(draw.number(3)):
        field = (draw.word(NAMES), draw.word(VALUES))
        fields.insert(draw.number(len(fields)), field)
    block = bytes(encoder.encode(fields, huffman=draw.flag()))
    return draw.string() if draw.number(7) == 0 else block


def frames(data: bytes) -> None:
    """However frames are split, they mean the same, and get the same answer."""
    sent, cuts = drawn_frames(data)
    whole = meant([sent])
    for pieces in (pieces_of(sent, cuts), pieces_of(sent, range(0, len(sent), 997))):
        assert meant(pieces) == whole


def meant(pieces: list[bytes]) -> tuple[list[Event], list[Frame]]:
    protocol, events, content = Http2Protocol(70_000), list[Event](), 0
    for piece in pieces:
        for event in protocol.receive(piece, 0.0):
            events.append(event)
            content += len(event.data) if isinstance(event, ContentArrived) else 0
    # Content that has not been taken.
    assert content <= CONNECTION_WINDOW
    out = list(frames_of(protocol.take_output()))
    check_frames(out)
    return events, out


def check_frames(sent: list[Frame]) -> None:
    """Every stream ends once, and nothing follows GOAWAY after a fault."""
    ended: set[int] = set()
    reset: set[int] = set()
    for at, each in enumerate(sent):
        assert len(each.payload) <= 65_536
        if each.kind in (FrameType.DATA, FrameType.HEADERS):
            assert each.stream % 2 == 1
            assert each.stream not in ended | reset, sent
            if each.flags & END_STREAM:
                ended.add(each.stream)
        elif each.kind == FrameType.RST_STREAM:
            assert each.stream not in reset, sent
            reset.add(each.stream)
        elif each.kind == FrameType.GOAWAY and each.code:
            assert at == len(sent) - 1


_RUNNER: list[asyncio.Runner] = []


def streams(data: bytes) -> None:
    """Whatever frames arrive, only HTTP/1.1 requests go to the upstream, each is answered or
    reset, and nothing is left when the client has gone."""
    sent, cuts = drawn_frames(data)
    if not _RUNNER:
        _RUNNER.append(asyncio.Runner())
    _RUNNER[0].run(spoken(pieces_of(sent, cuts)))


async def spoken(pieces: list[bytes]) -> None:
    loop, faults = asyncio.get_running_loop(), list[dict[str, object]]()
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    upstream = FakeUpstream(echo)
    server = ProxyServer(policy(), upstream, None)
    connection = Http2Connection(server, server.service)
    wire = Wire()
    connection.connection_made(wire)  # type: ignore[arg-type] # what is used of a transport
    for piece in pieces:
        for at in range(0, len(piece), 65_536):
            if wire.closing:
                break
            part = piece[at : at + 65_536]
            connection.get_buffer(len(part))[: len(part)] = part
            connection.buffer_updated(len(part))
        for _ in range(10):
            await asyncio.sleep(0)
        if len(pieces) > 2:
            server.dismiss()
    for stream in connection._streams.values():
        # Either the client must send more, or it has no window for the response.
        exchange = stream.exchange
        assert wire.closing or not exchange.content.has_ended or exchange.is_writing_paused
    connection.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not faults, faults
    assert connection.is_idle
    assert not server.connections
    for asked in upstream.asked:
        check_request(asked.request.method, asked.request.target, list(asked.request.fields))
    check_answers(wire.written)


def check_request(method: str, target: bytes, fields: list[Field]) -> None:
    """The forwarded request is strictly valid HTTP/1.1."""
    assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", method), method
    assert re.fullmatch(rb"/[!-~]*|\*", target), target
    for name, value in fields:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), name
        assert not re.search(rb"[\0-\x08\n-\x1f\x7f]", value), value
    names = [name.lower() for name, _ in fields]
    assert names.count(b"host") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert not {b"connection", b"upgrade", b"te", b"expect"} & set(names) - {b"expect"}


def check_answers(written: bytes) -> None:
    """Frames are well-formed, and grants are only for the allowed page."""
    sent, decoder = list(frames_of(written)), Decoder()
    check_frames(sent)
    for each in sent:
        if each.kind == FrameType.HEADERS:
            fields = dict(decoder.decode(each.payload, raw=True))
            assert fields[b":status"] != b"500", fields
            assert fields.get(b"access-control-allow-origin", PAGE.encode()) == PAGE.encode()


def field_blocks(data: bytes) -> None:
    """Another library decodes a block the same way, and decodes what we encode."""
    draw = Draw(data)
    ours, theirs = FieldDecoder(2**20), Decoder(max_header_list_size=2**20)
    for block in drawn_blocks(draw):
        try:
            fields = ours.decode(block)
        except FieldCodingError:
            return
        assert not ours.is_too_large
        try:
            expected = [(bytes(name), bytes(value)) for name, value in theirs.decode(block, True)]
        except HPACKError as error:
            raise AssertionError(block) from error
        assert fields == expected
        assert Decoder().decode(FieldEncoder().encode(fields), True) == fields


def drawn_blocks(draw: Draw) -> Iterator[bytes]:
    while draw:
        yield b"".join(draw.word(BLOCK_WORDS) for _ in range(draw.number(6)))
