"""http1/plain_request.py: what is plain, and that it is read as the parser reads it."""

import gc
import random
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.http1.head_parser import MalformedHeadError, parse_head
from corsproxy.http1.plain_request import PlainHeadReader
from corsproxy.http1.request_message import RequestMessage
from tests.fakes import FakeUpstream, get, serving, told
from tests.policies import PAGE, policy, rules

END = b"\r\n\r\n"
HOST = b"Host: localhost"
HEAD = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def read(data: bytes) -> RequestMessage | None:
    """The head with which `data` begins, as one that is alone reads it."""
    reader = PlainHeadReader("127.0.0.1", True)
    message = reader.read(data, 0)
    assert message is None or reader.end == data.index(END) + len(END)
    return message


def with_lines(*lines: bytes) -> bytes:
    return b"\r\n".join([b"GET /a HTTP/1.1", HOST, *lines]) + END


def test_a_plain_head_is_read() -> None:
    message = read(
        b"POST /b/c?d=%20 HTTP/1.1\r\nHost: a\r\nX-A: caf\xe9 b\r\nContent-Length: 5" + END
    )
    assert message is not None
    head = message.head
    assert (head.method, head.target, head.minor_version) == ("POST", b"/b/c?d=%20", 1)
    assert head.fields == ((b"Host", b"a"), (b"X-A", b"caf\xe9 b"), (b"Content-Length", b"5"))
    assert (head.client, head.secure) == ("127.0.0.1", True)
    assert (message.is_known, message.should_close, message.upgrade) == (True, False, False)
    assert (message.length, message.is_chunked, message.expects) == (5, False, False)


def test_a_head_that_repeats_is_the_same_object() -> None:
    reader = PlainHeadReader("", False)
    first = reader.read(HEAD, 0)
    assert first is not None
    assert reader.read(HEAD, 0) is first
    for other in (
        HEAD.replace(b"/a", b"/b"),
        HEAD.replace(b"GET", b"HEAD"),
        HEAD.replace(b"localhost", b"b"),
    ):
        assert reader.read(other, 0) is not first
        again = reader.read(HEAD, 0)
        assert again is not None
        assert said(again) == said(first)


@pytest.mark.parametrize(
    ("line", "closes"),
    [
        (b"Connection: close", True),
        (b"connection: Close", True),
        (b"Connection: keep-alive", False),
    ],
)
def test_the_connection_ends_where_it_says_so(line: bytes, closes: bool) -> None:
    reader = PlainHeadReader("", False)
    for head in (with_lines(line), with_lines(line).replace(b"/a", b"/b")):
        message = reader.read(head, 0)
        assert message is not None
        assert message.should_close is closes


PLAIN = {
    "a path": HEAD,
    "a query": HEAD.replace(b"/a", b"/a?b=c&d"),
    "all of a path": HEAD.replace(b"/a", b"/-._~!$&'()*+,;=:@%/?"),
    "slashes": HEAD.replace(b"/a", b"//"),
    "obs-text": with_lines(b"A: \xe9\xff"),
    "a colon in a value": with_lines(b"A: b: c"),
    "length": with_lines(b"Content-Length: 12"),
    "length of zero": with_lines(b"Content-Length: 0"),
    "close": with_lines(b"Connection: close"),
    "a field twice": with_lines(b"Cookie: a", b"Cookie: b"),
    "an odd name": with_lines(b"x!#$%&'*+-.^_`|~0: b"),
    **{
        method.decode(): HEAD.replace(b"GET", method)
        for method in (b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
    },
}
NOT_PLAIN = {
    "another method": HEAD.replace(b"GET", b"PROPFIND"),
    "no method": HEAD.replace(b"GET", b""),
    "a method in small letters": HEAD.replace(b"GET", b"get"),
    "CONNECT": HEAD.replace(b"GET /a", b"CONNECT a:1"),
    "1.0": HEAD.replace(b"1.1", b"1.0"),
    "1.2": HEAD.replace(b"1.1", b"1.2"),
    "another protocol": HEAD.replace(b"HTTP", b"ICE"),
    "no version": HEAD.replace(b" HTTP/1.1", b""),
    "no target": HEAD.replace(b"/a", b""),
    "neither": HEAD.replace(b"/a ", b""),
    "no slash": HEAD.replace(b"/a", b"a"),
    "asterisk": HEAD.replace(b"/a", b"*"),
    "absolute": HEAD.replace(b"/a", b"http://localhost/a"),
    "a space in the path": HEAD.replace(b"/a", b"/a b"),
    "two spaces before": HEAD.replace(b" /a", b"  /a"),
    "two spaces behind": HEAD.replace(b"/a ", b"/a  "),
    "a tab in the path": HEAD.replace(b"/a", b"/a\tb"),
    "a fragment": HEAD.replace(b"/a", b"/a#b"),
    "an unusual path": HEAD.replace(b"/a", b'/{"a"|b}'),
    "obs-text in the path": HEAD.replace(b"/a", b"/\xe4"),
    "empty lines before": b"\r" + HEAD,
    "a line break in the path": HEAD.replace(b"/a", b"/a\r\nA: b"),
    "bare LF behind the request line": HEAD.replace(b"1.1\r\n", b"1.1\n"),
    "bare CR behind the request line": HEAD.replace(b"1.1\r\n", b"1.1\r"),
    "no fields": b"GET /a HTTP/1.1" + END,
    "no Host": with_lines().replace(b"Host", b"Most"),
    "two Hosts": with_lines(b"Host: b"),
    "an empty Host": HEAD.replace(b"localhost", b""),
    "bare LF": with_lines(b"A: b\nC: d"),
    "bare CR": with_lines(b"A: b\rC: d"),
    "a folded line": with_lines(b"A: b", b" c"),
    "no colon": with_lines(b"A"),
    "no space": with_lines(b"A:b"),
    "two spaces": with_lines(b"A:  b"),
    "white space behind": with_lines(b"A: b "),
    "no value": with_lines(b"A: "),
    "white space before the colon": with_lines(b"A : b"),
    "no name": with_lines(b": b"),
    "an 8-bit name": with_lines(b"\xe9: b"),
    "NUL": with_lines(b"A: b\0"),
    "a tab": with_lines(b"A: b\tc"),
    "DEL": with_lines(b"A: b\x7f"),
    "two lengths": with_lines(b"Content-Length: 1", b"Content-Length: 1"),
    "length in a list": with_lines(b"Content-Length: 1, 1"),
    "signed length": with_lines(b"Content-Length: +1"),
    "negative length": with_lines(b"Content-Length: -1"),
    "length with a zero before": with_lines(b"Content-Length: 012"),
    "length of 19 digits": with_lines(b"Content-Length: " + b"1" * 19),
    "a transfer coding": with_lines(b"transfer-Encoding: chunked"),
    "a length and a transfer coding": with_lines(
        b"Content-Length: 1", b"Transfer-Encoding: chunked"
    ),
    "upgrade": with_lines(b"Upgrade: websocket"),
    "connection: upgrade": with_lines(b"Connection: upgrade"),
    "two options": with_lines(b"Connection: keep-alive, close"),
    "two Connections": with_lines(b"Connection: keep-alive", b"Connection: close"),
    "proxy-connection": with_lines(b"Proxy-Connection: close"),
    "expect": with_lines(b"Expect: 100-continue"),
    "trailer": with_lines(b"Trailer: A"),
    "an old WebSocket": with_lines(b"Sec-WebSocket-Key1: a"),
    "two types": with_lines(b"Content-Type: a", b"content-type: b"),
    "two user agents": with_lines(b"User-Agent: a", b"User-Agent: a"),
    "two ETags": with_lines(b"ETag: a", b"ETag: b"),
}


@pytest.mark.parametrize("case", PLAIN)
def test_the_usual_is_plain(case: str) -> None:
    for behind in (b"", b"x", b"\r\n", HEAD):
        assert read(PLAIN[case] + behind) is not None


@pytest.mark.parametrize("case", PLAIN)
def test_no_part_of_a_plain_head_is_one(case: str) -> None:
    data = PLAIN[case]
    reader = PlainHeadReader("", False)
    for _ in range(2):
        assert [reader.read(data[:size], 0) for size in range(len(data))] == [None] * len(data)
        assert reader.read(data, 0) is not None


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_unusual_is_left_to_the_parser(case: str) -> None:
    assert read(NOT_PLAIN[case]) is None


def test_it_begins_where_it_is_told() -> None:
    reader = PlainHeadReader("", False)
    for before in (b"", b"GET ", HEAD):
        message = reader.read(before + HEAD + HEAD, len(before))
        assert message is not None
        assert (message.head.target, reader.end) == (b"/a", len(before + HEAD))


# It is read as the parser reads it.

# What the heads of all tests have left behind in one reader: it must not matter.
EARLIER = PlainHeadReader("127.0.0.1", True)


def said(message: RequestMessage) -> tuple[object, ...]:
    head = message.head
    return (
        head.method,
        head.target,
        tuple(head.fields),
        head.minor_version,
        head.client,
        head.secure,
        message.is_known,
        message.should_close,
        message.upgrade,
        message.expects,
        message.length or 0,
        message.is_chunked,
    )


def check(data: bytes) -> bool:
    """Compare what is read of a head with what the parser reads; returns whether it is plain."""
    readers = (EARLIER, PlainHeadReader("127.0.0.1", True))
    plain = [each.read(data, 0) for each in readers]
    assert (plain[0] is None) == (plain[1] is None)
    if plain[0] is None or plain[1] is None:
        return False
    end = data.index(END) + len(END)
    assert [each.end for each in readers] == [end, end]
    try:
        parsed = parse_head(data[:end], "127.0.0.1", True)
    except MalformedHeadError:
        pytest.fail(f"the parser refuses {data!r}")
    assert said(plain[0]) == said(plain[1]) == said(parsed)
    return True


@pytest.mark.parametrize("case", PLAIN | NOT_PLAIN)
def test_the_parser_reads_it_the_same(case: str) -> None:
    for behind in (b"", b"x", HEAD):
        assert check((PLAIN | NOT_PLAIN)[case] + behind) is (case in PLAIN)


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_in_each_place_is_read_the_same(byte: int) -> None:
    data = b"GET /a HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nX: y\r\n\r\n"
    for at in range(len(data)):
        check(data[:at] + bytes([byte]) + data[at + 1 :])
        check(data[:at] + bytes([byte]) + data[at:])


LINES = st.sampled_from(
    [
        HOST, HOST, b"host: b", b"Content-Length: 5", b"content-length: 0", b"Content-Length: 007",
        b"Content-Length: 5, 5", b"Transfer-Encoding: chunked", b"Connection: close",
        b"Connection: Keep-Alive", b"Connection: close, keep-alive", b"Connection: upgrade",
        b"Connection: x", b"Proxy-Connection: close", b"Upgrade: websocket", b"Upgrade: h2c",
        b"Expect: 100-continue", b"Keep-Alive: timeout=5", b"TE: trailers", b"Trailer: X",
        b"Content-Type: a/b", b"User-Agent: x", b"ETag: x", b"Server: x", b"Content-Range: x",
        b"Content-Encoding: gzip", b"Max-Forwards: 0", b"Content-Location: /", b"Cookie: a=b",
        b"Origin: http://a.test", b"Sec-WebSocket-Key1: x", b"Sec-WebSocket-Key: x", b"X_y: z",
        b"A: \xe9", b"A:b", b"A: b ", b"A:", b"A", b" A: b", b"A : b", b"A: b\tc", b"A: b\0", b"",
    ]
)  # fmt: skip
REQUEST_LINES = st.sampled_from(
    [
        *[b"GET /a HTTP/1.1"] * 6, b"POST /a?b HTTP/1.1", b"HEAD / HTTP/1.1", b"PURGE /a HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"GET /a HTTP/1.0", b"CONNECT a:1 HTTP/1.1", b"GET  /a HTTP/1.1",
        b"GET http://localhost/ HTTP/1.1", b"GET /a HTTP/2.0", b"GET /\xe9 HTTP/1.1",
    ]
)  # fmt: skip


@settings(max_examples=1000)
@given(REQUEST_LINES, st.lists(LINES, max_size=6), st.data())
def test_no_head_is_read_otherwise(first: bytes, lines: list[bytes], more: st.DataObject) -> None:
    data = bytearray(b"\r\n".join([first, HOST, *lines]) + END)
    for _ in range(more.draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = more.draw(st.integers(0, len(data) - 1))
        byte = more.draw(st.sampled_from(b"\0\t\n\r :\x7f\xe9aA0,;-+\x0b") | st.integers(0, 255))
        change = more.draw(st.sampled_from(["replace", "insert", "delete"]))
        data[at : at + (change != "insert")] = b"" if change == "delete" else bytes([byte])
    check(bytes(data) or b"G")


# What one head leaves behind for the next.


def test_the_same_section_is_the_same_object_whatever_the_target() -> None:
    reader = PlainHeadReader("", False)
    first, second, other, again = (
        reader.read(data, 0)
        for data in (HEAD, HEAD.replace(b"/a", b"/b"), with_lines(b"A: b"), HEAD)
    )
    assert first is not None
    assert second is not None
    assert other is not None
    assert again is not None
    assert first.head.fields is second.head.fields
    assert other.head.fields is not first.head.fields
    assert again.head.fields == first.head.fields


def test_what_has_content_or_is_long_is_not_remembered() -> None:
    for line in (b"Content-Length: 5", b"A: " + b"a" * 5000):
        reader = PlainHeadReader("", False)
        head = with_lines(line)
        first, second = (reader.read(head, 0) for _ in range(2))
        assert first is not None
        assert second is not None
        assert first.head.fields is not second.head.fields
        assert said(first) == said(second)


# On connections.


def heads(target: str) -> list[bytes]:
    asking = "Access-Control-Request-Method: PUT"
    return [
        get(target),
        get(target, "Cookie: a=b", "User-Agent: x", method="DELETE"),
        get(target, asking, method="OPTIONS"),
        get(target, origin="https://evil.test"),
    ]


async def test_an_answer_does_not_depend_on_the_requests_before_it() -> None:
    draw = random.Random(5)
    usual = "abcABC012-._~!$&'()*+,;=:@/?"
    targets = ["/" + "".join(draw.choices(usual, k=draw.randrange(12))) for _ in range(60)]
    targets += ["/%41%2f", "/a/../b", "/a/./b", "/%2e%2e/a", "/a//b", "//a", "/?", "/a?%zz", "/%"]
    async with serving(FakeUpstream(told)) as proxy:
        for kind in range(len(heads("/"))):
            method = heads("/")[kind].partition(b" ")[0].decode()
            client = await proxy.connect()
            for target in targets:
                alone = await proxy.ask(heads(target)[kind], method)
                await client.send(heads(target)[kind])
                among = await client.reply(method)
                if alone.value("Connection") == "close":
                    client = await proxy.connect()
                assert (among.status, among.content) == (alone.status, alone.content), target
                assert among.grant == alone.grant


async def test_a_repeated_request_meets_the_policy_in_force() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            await client.send(get("/a"))
            assert (await client.reply()).grant == PAGE
        proxy.server.policy = policy(default=rules("https://other.test"))
        for _ in range(3):
            await client.send(get("/a"))
            reply = await client.reply()
            assert (reply.status, reply.grant) == (403, None)


@pytest.mark.interpreted  # compiled policies take no weak references
async def test_nothing_outlives_the_policy_that_it_was_decided_under() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            await client.send(get("/a"))
            await client.reply()
        before = weakref.ref(proxy.server.policy)
        proxy.server.policy = policy()
        proxy.records.clear()  # which are the test's own
        gc.collect()
        assert before() is None


async def test_what_repeats_and_what_does_not_may_take_turns() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for target in ("/a", "/a", "/b", "/c?d"):
            await client.send(get(target))
            assert f"{target}'".encode() in (await client.reply()).content
            await client.send(get(target, "X-Other: 1", "Content-Length: 2", method="POST") + b"ok")
            assert f"{target}'".encode() in (await client.reply()).content
            await client.send(get(target, "Connection: upgrade", "Upgrade: websocket"))
            assert f"{target}'".encode() in (await client.reply()).content
