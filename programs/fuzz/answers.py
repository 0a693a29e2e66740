"""Targets: responses to bytes that are not a request, and questions about requests."""

from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall
from corsproxy.core.refusals import refuse_unread
from corsproxy.core.verdicts import Code
from corsproxy.http1.writer import head_bytes
from programs.fuzz.draw import Draw
from programs.fuzz.exchanges import POLICIES
from programs.fuzz.reference import entry_allows, head_of, values

UNREAD_WORDS = (
    b"\r\nOrigin: http://localhost:5173\r\n", b"GET /api HTTP/1.1\r\n", b"\r\n\r\n", b"\norigin:",
    b"HTTP/2.0", b"Transfer-Encoding: x", b"PRI * HTTP/2.0", b"\x16\x03\x01",
    b"https://a.example.com",
)  # fmt: skip


def unread(data: bytes) -> None:
    """Bytes that are not a request get a response; it has a grant only for a whole Origin line."""
    draw = Draw(data)
    given = draw.pick(POLICIES)
    code = draw.pick((None, Code.HEAD_TIMEOUT))
    received = draw.rest()
    answer = refuse_unread(given, received, code)
    assert answer.close
    assert answer.head.status in ((400, 414, 431, 501, 505) if code is None else (408,))
    _, head = head_of(head_bytes(answer.head, 1, keep_alive=False))
    granted = values(head, b"access-control-allow-origin")
    lines = [line.removesuffix(b"\r") for line in received.partition(b"\r\n\r\n")[0].split(b"\n")]
    origins = [line[7:].strip(b" \t") for line in lines if line[:7].lower() == b"origin:"]
    assert granted in ([], [b"*"]) or granted == origins, (granted, origins)
    if b"http://localhost:5173" in granted:
        assert not any(b"\r" in origin for origin in origins)


_QUESTIONS = ("http://localhost:5173", "https://a.example.com", "null", "http://evil.test", "x")
_PLACES = ("/", "/api/x", "/api/raw", "/host", "/..", "/none", "x", "/é")


def questions(data: bytes) -> None:
    """`explain` says the same as `decide`, and every question gets an answer."""
    draw = Draw(data)
    given = draw.pick(POLICIES)
    question = PageCall(
        draw.pick(_QUESTIONS) + draw.string().decode("latin-1"),
        draw.pick(_PLACES) + draw.string().decode("latin-1"),
        draw.pick(("GET", "PUT", "patch", "OPTIONS", "TRACE", "FOO", "")),
        tuple(draw.pick(("x-a", "Content-Type", "cookie", "é", "")) for _ in range(draw.number(3))),
        draw.flag(),
    )
    try:
        found = explain(given, question)
    except ValueError:
        return
    assert found.text()
    assert found.to_json()
    shown = dict(found.grant).get(b"Access-Control-Allow-Origin")
    allowed = any(
        entry_allows(pattern.text, question.origin.encode())
        for pattern in given.default_cors.origins
    )
    assert shown in (None, b"*") or allowed or len(given.routes) > 1
