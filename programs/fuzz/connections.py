"""Targets: a client's bytes, as its connection reads them."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corsproxy.shell.listener.http1_connection import Http1Connection
from corsproxy.shell.listener.server import ProxyServer
from programs.fuzz.draw import Draw
from programs.fuzz.wire import cut, pieces_of, unchunked
from tests.fakes import FakeUpstream, echo
from tests.policies import policy

REQUEST_WORDS = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: localhost\r\n",
    b"Content-Length: 3\r\n", b"Content-Length: 40\r\n\r\n", b"Transfer-Encoding: chunked\r\n",
    b"\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
    b"Origin: http://localhost:5173\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n", b"HTTP/1.0", b" \r\n", b"\n", b"\r", b": ", b"\0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b";x",
)  # fmt: skip


class Wire:
    """A transport that keeps what is written, and never blocks."""

    family = 0  # not an internet socket

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("127.0.0.1", 1), "socket": self}.get(name, default)

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: object) -> None:
        """Set nothing."""

    def set_write_buffer_limits(self, **_: int) -> None:
        """Buffer nothing."""

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closing = True

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        """Do nothing: the next data comes anyway."""

    resume_reading = pause_reading


class Spoken(NamedTuple):
    """What a connection did with bytes: the upstream's requests, and the responses."""

    asked: list[tuple[str, bytes, bytes]]
    answers: bytes


async def speak(pieces: Sequence[bytes]) -> Spoken:
    upstream = FakeUpstream(echo)
    server = ProxyServer(policy(), upstream, None)
    connection = Http1Connection(server, server.service)
    wire = Wire()
    connection.connection_made(wire)  # type: ignore[arg-type] # what is used of a transport
    for piece in pieces:
        if wire.closing:
            break
        buffer = connection.get_buffer(len(piece))
        buffer[: len(piece)] = piece
        connection.buffer_updated(len(piece))
        for _ in range(20):
            await asyncio.sleep(0)
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    asked = [
        (each.request.method, each.request.target, b"" if each.body is None else b"body")
        for each in upstream.asked
    ]
    return Spoken(asked, wire.written)


_RUNNER: list[asyncio.Runner] = []


def requests(data: bytes) -> None:
    """Only requests that a strict reader finds reach the upstream, in order."""
    draw = Draw(data)
    cuts = cut(draw)
    sent = draw.rest()
    if not sent:
        return
    if not _RUNNER:
        _RUNNER.append(asyncio.Runner())
    wanted = list(strict_requests(sent))
    for pieces in ([sent], pieces_of(sent, cuts)):
        spoken = _RUNNER[0].run(speak(pieces))
        left = iter(wanted)
        for method, target, _ in spoken.asked:
            assert any(each == (method.encode(), target) for each in left), (spoken, wanted)
        check_answers(spoken.answers)


def strict_requests(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The requests at the start of `data`, up to the first fault: method and target."""
    while data:
        data = data.lstrip(b"\r\n")
        head, end, rest = data.partition(b"\r\n\r\n")
        first = re.match(
            rb"([A-Z-]+) +(/[!-~]*|\*|http://localhost[!-~]*) +HTTP/1\.[01]\Z",
            head.split(b"\r\n")[0],
        )
        if first is None or not end:
            return
        target = first[2] if first[2][:1] == b"/" else b"/" + first[2][16:].lstrip(b"/")
        yield first[1], target
        fields = re.findall(
            rb"(?im)^(content-length|transfer-encoding):[ \t]*(.*?)[ \t]*\r?$", head
        )
        if not fields:
            data = rest
        elif fields[0][0].lower() == b"content-length" and fields[0][1].isdigit():
            data = rest[int(fields[0][1]) :]
        else:
            try:
                _, data = unchunked(rest)
            except (AssertionError, TypeError):
                return


def check_answers(written: bytes) -> None:
    """Check a sequence of responses; every grant is for the allowed page."""
    assert written[:9] in (b"", b"HTTP/1.1 ")
    for grant in re.findall(rb"(?i)\r\naccess-control-allow-origin: ([^\r\n]*)", written):
        assert grant == b"http://localhost:5173"
    assert b"Traceback" not in written
    assert b"HTTP/1.1 500" not in written


_PLAIN = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
_EVIL = b"Origin: https://evil.example\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def drawn_request(draw: Draw, number: int) -> bytes:
    """A valid request, whose content may look like another one."""
    match draw.number(5):
        case 0:
            return b"\r\n" + _PLAIN % (number, _EVIL)
        case 1:
            content = draw.string() + draw.pick((b"", b"\r\n\r\n", _PLAIN % (99, b"")))
            length = b"Content-Length: %d\r\n" % len(content)
            return (_PLAIN % (number, length)).replace(b"GET", b"POST") + content
        case 2:
            content = b"3\r\nabc\r\n4;x=y\r\n\r\n\r\n\r\n0\r\n"
            end = draw.pick((b"\r\n", b"X: y\r\n\r\n"))
            return (_PLAIN % (number, _CHUNKED)).replace(b"GET", b"PUT") + content + end
        case 3:
            return (_PLAIN % (number, b"")).replace(b"GET", b"HEAD")
        case _:
            return _PLAIN % (number, b"")


def segments(data: bytes) -> None:
    """However valid requests are split into segments, both sides get the same bytes."""
    draw = Draw(data)
    cuts = cut(draw)
    sent = b"".join(drawn_request(draw, number) for number in range(1 + draw.number(5)))
    runner = _RUNNER[0] if _RUNNER else asyncio.Runner()
    _RUNNER[:] = [runner]
    whole = runner.run(speak([sent]))
    for pieces in (pieces_of(sent, cuts), pieces_of(sent, range(0, len(sent), 3))):
        split = runner.run(speak(pieces))
        assert split.asked == whole.asked
        assert statuses(split) == statuses(whole)
    assert not {b"400", b"501", b"500"} & set(statuses(whole))


def statuses(spoken: Spoken) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", spoken.answers)
