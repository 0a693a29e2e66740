"""Targets: an upstream's responses as bytes, and the log lines of exchanges."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.errors import UpstreamError
from corsproxy.http1.response_parser import ResponseParser
from corsproxy.shell.feed.journal import JsonLines
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.text_lines import TextLines
from corsproxy.shell.streams.piece import Piece
from programs.fuzz.draw import Draw
from tests.policies import policy, said

# The upstream's responses

RESPONSE_WORDS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"Content-Length: 3\r\n", b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"HTTP/1.0 204 No\r\n", b"\n",
    b"Connection: close\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"X: y\r\n z\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n", b"Keep-Alive: timeout=5\r\n", b";ext=1", b" \t", b"\0",
    b"Content-Type: text/event-stream\r\n", b"HTTP/1.1 304 Not Modified\r\n", b"\r", b"abc",
)  # fmt: skip


POLICY = policy()


class Read(NamedTuple):
    """What has been read of a response."""

    fault: bool
    complete: bool
    head: tuple[object, ...] | None
    content: bytes
    reusable: bool


def read(pieces: Sequence[bytes], method: str, *, upgrade: bool) -> Read:
    """Feed a parser as the connection does: nothing after the end."""
    content: list[Piece] = []
    parser = ResponseParser(method, upgrade=upgrade, section_limit=65536, put=content.append)
    fault, reusable = False, True
    try:
        for piece in pieces:
            if parser.complete:
                reusable = False
                break
            parser.feed(memoryview(piece))
    except UpstreamError:
        fault = True
    complete = parser.complete
    reusable = reusable and complete and parser.persistent and not fault
    return Read(fault, complete, said(parser.head), b"".join(content), reusable)


def cut(draw: Draw) -> list[int]:
    return [draw.number() for _ in range(draw.number(3))]


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at for at in cuts if at < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def responses(data: bytes) -> None:
    """However a response is split, it is read the same, and its content is right."""
    draw = Draw(data)
    method, upgrade, cuts = draw.pick(("GET", "HEAD")), draw.flag(), cut(draw)
    answer = draw.rest()
    if not answer:
        return
    whole = read([answer], method, upgrade=upgrade)
    for pieces in (pieces_of(answer, cuts), pieces_of(answer, range(len(answer)))):
        split = read(pieces, method, upgrade=upgrade)
        assert split[:4] == whole[:4], (whole, split)
    if whole.complete and whole.reusable:
        check_response(answer, whole, method)


def check_response(answer: bytes, found: Read, method: str) -> None:
    """If the connection can be used again after a response, no bytes are left over."""
    assert answer.startswith(b"HTTP/1.1 ") or b"keep-alive" in answer.lower()
    head, rest = head_and_rest(answer)
    while re.match(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}", head):
        head, rest = head_and_rest(rest)
    lines = re.split(rb"\r?\n", head)[1:]
    lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
    if method == "HEAD" or head[9:12] in (b"204", b"304"):
        assert found.content == b""
        assert not rest.strip(b"\r\n")
    elif lengths:
        (length,) = {int(each) for line in lengths for each in line[15:].split(b",")}
        assert found.content == rest[:length]
        assert not rest[length:].strip(b"\r\n")
    else:
        content, behind = unchunked(rest)
        assert found.content == content
        assert not behind.strip(b"\r\n")


def head_and_rest(data: bytes) -> tuple[bytes, bytes]:
    """Divide at the first empty line; a lone LF ends a line, too (RFC 9112, 2.2)."""
    head, *rest = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    return head, b"".join(rest)


def unchunked(data: bytes) -> tuple[bytes, bytes]:
    """Return the content of a chunked body and what follows it; fails if it is not one."""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(re.match(rb"[0-9A-Fa-f]+", size)[0], 16)  # type: ignore[index] # or it fails
        if not length:
            break
        assert data[length : length + 2] == b"\r\n"
        content, data = content + data[:length], data[length + 2 :]
    while not data.startswith(b"\r\n"):
        _, end, data = data.partition(b"\r\n")
        assert end
    return content, data[2:]


# The log

LOG_WORDS = (
    b"/?access_token=hunter2", b"?a=1&api_key=hunter2#x", b"//user:hunter2@h/", b"\x1b[2J",
    b'"}\n{"',
    b"%61ccess_token=hunter2", b"\xe2\x80\xae", b"\\", b"\x9b31m", b"\r\n", b"token=", b"&",
    b"\x07",
)  # fmt: skip


def log_lines(data: bytes) -> None:
    """An exchange is one line for programs, plain characters for people, and has no secrets."""
    draw = Draw(data)
    target = b"/" + b"".join(draw.word(LOG_WORDS) for _ in range(draw.number(4)))
    fields: list[Field] = [
        (draw.pick((b"Origin", b"traceparent", b"Access-Control-Request-Method", b"Cookie")), value)
        for value in (draw.word(LOG_WORDS) for _ in range(draw.number(3)))
    ]
    verdict = Verdict(
        draw.pick(tuple(Kind)), draw.pick(tuple(Code)), draw.flag(), None, None,
        draw.string().decode("latin-1"),
    )  # fmt: skip
    detail = draw.word(LOG_WORDS).decode("latin-1") if draw.flag() else None
    request = RequestHead(draw.pick(("GET", "", "\x1b")), target, fields, client="::1")
    error = draw.pick((None, "shutdown"))
    record = ExchangeRecord(request, POLICY, verdict, 200, error=error, detail=detail)
    line = JsonLines().exchange(record)
    assert line.isascii()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    assert isinstance(json.loads(line), dict)
    words = TextLines(lambda _: [], color=False, width=lambda: 10_000).exchange(record)
    assert words.endswith("\n")
    assert all(each.isprintable() for each in words[:-1].split("\n"))
    assert words.count("\n") == 1
