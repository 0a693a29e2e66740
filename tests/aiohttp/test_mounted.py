"""An application mounted two levels deep: links back to its upstream are below its prefix."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer

from corsproxy.aiohttp import proxy_app
from tests.aiohttp.embedded import PAGE, ask, running
from tests.aiohttp.test_app import CASES, seen, text, through_the_listener, upstream
from tests.fakes import get
from tests.peers import PeerConnection, RawPeer, answers

PREFIX = "/a/b"


@asynccontextmanager
async def two_deep(proxy: web.Application) -> AsyncIterator[BaseTestServer]:
    outer, inner = web.Application(), web.Application()
    inner.add_subapp("/b", proxy)
    outer.add_subapp("/a", inner)
    async with running(outer) as server:
        yield server


async def test_all_cases_come_out_as_they_do_without_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with upstream() as server:
        (tmp_path / "corsproxy.yaml").write_text(text(server.port))
        cases = {name: data for name, data in CASES.items() if "cut" not in name}
        expected = await through_the_listener(text(server.port), list(cases.values()))
        async with two_deep(proxy_app(config="corsproxy.yaml")) as proxy:
            for (name, data), right in zip(cases.items(), expected, strict=True):
                method, _, rest = data.partition(b" ")
                moved = method + b" " + PREFIX.encode() + rest
                status, fields, content = seen(await ask(proxy.port, moved, method.decode()))
                fields = [(key, value.replace(PREFIX.encode(), b"")) for key, value in fields]
                content = content.replace(PREFIX.encode(), b"")
                assert (status, fields, content) == right, name


ROUTES = """\
routes:
  - {{path: /, upstream: "http://localhost:{port}", cors: {{allow_origins: ["{page}"]}}}}
  - {{path: /own, upstream: "http://127.0.0.1:{port}/v2", cors: {{allow_origins: ["{page}"]}}}}
  - path: /cut
    upstream: http://127.0.0.2:{port}/v3
    strip_path: true
    cors: {{allow_origins: ["{page}"]}}
"""

LINKS = {
    # What a route's upstream says; what a client reads.
    ("/x", "/other"): "/a/b/other",
    ("/x", "http://localhost:{port}/other?q#f"): "http://localhost/a/b/other?q#f",
    ("/x", "http://elsewhere.example/"): "http://elsewhere.example/",
    ("/x", "relative"): "relative",
    ("/own/x", "/v2/own/y"): "/a/b/own/y",
    ("/own/x", "/v2/y"): "/a/b/y",
    ("/own/x", "http://127.0.0.1:{port}/v2/y"): "http://localhost/a/b/y",
    ("/own/x", "http://127.0.0.1:{port}/outside"): "http://127.0.0.1:{port}/outside",
    ("/cut/x", "/v3/y"): "/a/b/cut/y",
    ("/cut/x", "http://127.0.0.2:{port}/v3/y"): "http://localhost/a/b/cut/y",
}


@pytest.mark.parametrize(("asked", "said", "read"), [(*key, LINKS[key]) for key in LINKS])
async def test_links_lead_below_the_prefix(
    asked: str, said: str, read: str, tmp_path: Path
) -> None:
    config = tmp_path / "corsproxy.yaml"
    lines = (
        f"Location: {said}",
        f"Content-Location: {said}",
        f'Link: <{said}>; rel="next"',
        f"Refresh: 5; url={said}",
    )

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        head = ("HTTP/1.1 302 Found", *lines, "Content-Length: 0", "", "")
        await peer.send("\r\n".join(head).format(port=port).encode())

    async with RawPeer(script, host="0.0.0.0") as server:
        port = server.port
        config.write_text(ROUTES.format(port=port, page=PAGE))
        async with two_deep(proxy_app(config=config)) as proxy:
            reply = await ask(proxy.port, get(PREFIX + asked, origin=PAGE))
            assert reply.status == 302
            wanted = read.format(port=port)
            assert reply.value("Location") == wanted
            assert reply.value("Content-Location") == wanted
            assert reply.value("Link") == f'<{wanted}>; rel="next"'
            assert reply.value("Refresh") == f"5; url={wanted}"


COOKIES = {
    ("/x", "/other"): "/a/b/other",
    ("/x", "/"): "/",
    ("/own/x", "/v2/own"): "/a/b/own",
    ("/own/x", "/v2/other"): "/a/b/other",
    ("/own/x", "/outside"): "/",
    ("/cut/x", "/v3/y"): "/a/b/cut/y",
}


@pytest.mark.parametrize(("asked", "said", "read"), [(*key, COOKIES[key]) for key in COOKIES])
async def test_cookies_are_sent_back_below_the_prefix(
    asked: str, said: str, read: str, tmp_path: Path
) -> None:
    config = tmp_path / "corsproxy.yaml"
    answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path={said}\r\nContent-Length: 0\r\n\r\n"
    async with RawPeer(answers(answer.encode()), host="0.0.0.0") as server:
        config.write_text(ROUTES.format(port=server.port, page=PAGE))
        async with two_deep(proxy_app(config=config)) as proxy:
            reply = await ask(proxy.port, get(PREFIX + asked, origin=PAGE))
            assert reply.value("Set-Cookie") == f"a=1; Path={read}"
            [head] = server.heads
            assert b"/a/b" not in head.split(b" HTTP/1.1")[0]


async def test_the_upstream_never_sees_the_prefix() -> None:
    targets = {
        "/a/b": "/", "/a/b/": "/", "/a/b?q": "/?q", "/a/b/x/?q": "/x/?q", "/a/b/a/b": "/a/b"
    }  # fmt: skip
    async with upstream() as server:
        for strip_path in (False, True):
            app = proxy_app(
                f"http://localhost:{server.port}", allow_origins=[PAGE], strip_path=strip_path
            )
            async with two_deep(app) as proxy:
                for asked, wanted in targets.items():
                    reply = await ask(proxy.port, get(asked, origin=PAGE))
                    assert json.loads(reply.content)["target"] == wanted
