"""aiohttp/responses.py: heads as they reach the client."""

import pytest

from corsproxy.aiohttp import proxy_app
from tests.aiohttp.embedded import PAGE, ask, running
from tests.fakes import Reply, get
from tests.peers import RawPeer, answers


async def reply_to(*lines: bytes, content: bytes = b"ok") -> Reply:
    """What a client gets where the upstream has sent these field lines."""
    head = b"\r\n".join((b"HTTP/1.1 200 Fine", *lines, b"Content-Length: %d" % len(content)))
    async with RawPeer(answers(head + b"\r\n\r\n" + content)) as upstream:
        app = proxy_app(f"http://127.0.0.1:{upstream.port}", allow_origins=[PAGE])
        async with running(app) as proxy:
            return await ask(proxy.port, get("/", origin=PAGE))


@pytest.mark.parametrize("content", [b"ok", b""])
async def test_no_field_is_added(content: bytes) -> None:
    reply = await reply_to(content=content)
    assert reply.content == content
    assert reply.value("Content-Type") is None
    assert reply.value("Server") is None


async def test_repeated_fields_stay_on_separate_lines() -> None:
    reply = await reply_to(
        b"Server: own", b"Content-Type: text/x", b"Set-Cookie: a=1", b"Set-Cookie: b=2"
    )
    assert (reply.value("Server"), reply.value("Content-Type")) == ("own", "text/x")
    cookies = [value for name, value in reply.fields if name == b"Set-Cookie"]
    assert cookies == [b"a=1", b"b=2"]


async def test_a_value_that_is_not_utf_8_is_not_dropped() -> None:
    reply = await reply_to("X-Name: Jürgen".encode(), b"X-Old: J\xfcrgen")
    fields = dict(reply.fields)
    assert fields[b"X-Name"] == "Jürgen".encode()
    assert fields[b"X-Old"].decode() == "J\ufffdrgen"
