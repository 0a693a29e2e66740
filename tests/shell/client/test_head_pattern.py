"""The short way to read a head: it reads what the parser reads, or nothing."""

import gc
import random
import weakref

import pytest

from corsproxy.core.messages import RequestHead
from corsproxy.shell.client.head_pattern import HeadPattern, pattern_of
from corsproxy.shell.client.message import RequestMessage
from tests.fakes import Asked, FakeResponse, FakeUpstream, get, serving
from tests.peers import until
from tests.policies import PAGE, policy, rules

HEAD = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def made(
    head: bytes = HEAD, *, target: bytes = b"/a", should_close: bool = False, upgrade: bool = False
) -> HeadPattern | None:
    request = RequestHead("GET", target, ((b"Host", b"localhost"),), 1, "127.0.0.1", True)
    message = RequestMessage(request, should_close=should_close, upgrade=upgrade)
    return pattern_of(head, message)


def test_a_head_with_another_target_is_read() -> None:
    pattern = made()
    assert pattern is not None
    message = pattern.read(HEAD.replace(b"/a", b"/b/c?d=%20"))
    assert message is not None
    head = message.head
    assert (head.method, head.target, head.minor_version) == ("GET", b"/b/c?d=%20", 1)
    assert (head.fields, head.client, head.secure) == (
        ((b"Host", b"localhost"),),
        "127.0.0.1",
        True,
    )
    assert message.is_known
    assert not message.should_close
    assert message.precedent is not None


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"GET", b"PUT"),
        HEAD.replace(b"1.1", b"1.0"),
        HEAD.replace(b"localhost", b"localhosT"),
        HEAD.replace(b"Host", b"host"),
        HEAD.replace(b"\r\n\r\n", b"\r\nA: b\r\n\r\n"),
        HEAD[:-2],
        HEAD[1:],
        b"\r\n" + HEAD,
        HEAD + b"x",
        HEAD.replace(b"/a", b""),
        HEAD.replace(b"/a ", b""),
        HEAD.replace(b"/a", b"a"),
        HEAD.replace(b"/a", b"*"),
        HEAD.replace(b"/a", b"http://localhost/a"),
        HEAD.replace(b"/a", b"/a b"),
        HEAD.replace(b"/a", b"/a\tb"),
        HEAD.replace(b"/a", b"/a#b"),
        HEAD.replace(b"/a", b"/\xe4"),
        HEAD.replace(b"/a", b"/a HTTP/1.1\r\nHost: x\r\n\r\nGET /b"),
        HEAD.replace(b"/a", b"/a\r\nA: b"),
        HEAD.replace(b"/a", b"/" + b"a" * 5000),
        b"",
    ],
)
def test_everything_else_is_for_the_parser(head: bytes) -> None:
    pattern = made()
    assert pattern is not None
    assert pattern.read(head) is None


def test_an_unusual_target_is_read_where_the_parser_has_read_it() -> None:
    odd = b'/{"a"|b}'
    pattern = made(HEAD.replace(b"/a", odd), target=odd)
    assert pattern is not None
    assert pattern.read(HEAD.replace(b"/a", odd)) is not None
    assert pattern.read(HEAD.replace(b"/a", odd + odd)) is None


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n" + HEAD,
        HEAD.replace(b"1.1", b"1.0"),
        HEAD + b"content",
        HEAD + HEAD,
        HEAD.replace(b"\r\n\r\n", b"\r\nA: " + b"a" * 5000 + b"\r\n\r\n"),
    ],
)
def test_not_every_head_is_a_pattern(head: bytes) -> None:
    assert made(head) is None


def test_what_ends_the_connection_or_its_protocol_is_no_pattern() -> None:
    assert made(should_close=True) is None
    assert made(upgrade=True) is None


# On connections.


async def told(asked: Asked) -> FakeResponse:
    """Answer with what was asked."""
    await asked.content()
    return FakeResponse(repr((asked.request.target, asked.request.fields)).encode())


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


async def test_a_repeated_head_that_arrives_in_pieces_is_read() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for cut in range(1, len(get("/a")), 7):
            for each in ([get("/a")], [get("/b")[:cut], get("/b")[cut:]]):
                await client.send(*each)
                assert (await client.reply()).status == 200


async def test_repeated_requests_in_one_piece_are_answered_in_their_order() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(get("/first"))
        await client.reply()
        await client.send(b"".join(get(f"/{number}") for number in range(100)))
        for number in range(100):
            assert f"/{number}'".encode() in (await client.reply()).content


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


async def test_nothing_outlives_the_policy_that_it_was_decided_under() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            await client.send(get("/a"))
            await client.reply()
        before = weakref.ref(proxy.server.policy)
        proxy.server.policy = policy()
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


async def test_the_rest_of_a_head_is_no_repetition() -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(get("/inner"))
        await client.reply()
        await client.send(b"GET /outer HTTP/1.1\r\nHost: localhost\r\nA: ", get("/inner"))
        assert (await client.reply()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("count", [2, 8, 40])
async def test_requests_that_waited_behind_a_full_queue_are_no_pattern(count: int) -> None:
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        for number in (32 + count, count, 1):
            await client.send(get("/a") * number)
            for _ in range(number):
                assert (await client.reply()).status == 200


CONTENTS = {
    "counted": (b"Content-Length: 5\r\n\r\n", b"hello"),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("target", ["/outer", "/inner"])
@pytest.mark.parametrize("kind", CONTENTS)
async def test_half_a_head_behind_content_is_neither_forgotten_nor_repeated(
    kind: str, target: str
) -> None:
    fields, content = CONTENTS[kind]
    asking = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + fields
    half = f"GET {target} HTTP/1.1\r\nCookie: a=b\r\nA: ".encode()
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        alone = await proxy.ask(get("/inner"))
        for _ in range(2):
            await client.send(get("/inner"))
            await client.reply()
        await client.send(asking + content + half)
        await client.reply()
        await client.send(get("/inner"))
        outer = await client.reply()
        assert repr(target.encode()).encode() in outer.content
        assert b"(b'Cookie', b'a=b'), (b'A', b'GET /inner HTTP/1.1')" in outer.content
        for _ in range(2):
            await client.send(get("/inner"))
            assert (await client.reply()).content == alone.content


@pytest.mark.parametrize("kind", ["counted", "chunked"])
async def test_content_is_no_part_of_a_pattern(kind: str) -> None:
    inner = b"GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\nA: "
    counted = kind == "counted"
    length = b"Content-Length: %d" % len(inner) if counted else b"Transfer-Encoding: chunked"
    start = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"
    size, end = (b"", b"") if counted else (b"%x\r\n" % len(inner), b"\r\n0\r\n\r\n")
    upstream = FakeUpstream(told)
    async with serving(upstream) as proxy:
        client = await proxy.connect()
        await client.send(start + size)
        await until(lambda: bool(upstream.asked))
        await client.send(inner + end + b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        await client.send(inner + end + b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.reply()).status in (400, 403)


async def test_a_smuggled_request_is_no_repetition() -> None:
    inner = get("/inner")
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(inner)
        await client.reply()
        await client.send(
            get("/outer", f"Content-Length: {len(inner)}", method="POST") + inner,
        )
        assert b"/outer" in (await client.reply()).content
        await client.send(get("/last"))
        assert b"/last" in (await client.reply()).content


async def test_content_like_a_head_is_content_wherever_it_is_cut() -> None:
    inner = get("/inner")
    async with serving(FakeUpstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(inner)
        await client.reply()
        head = get("/outer", f"Content-Length: {len(inner)}", method="POST")
        await client.send(head, inner)
        assert b"/outer" in (await client.reply()).content
        await client.send(get("/last"))
        assert b"/last" in (await client.reply()).content
