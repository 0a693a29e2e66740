"""The claims of SECURITY.md, attacked on the running command over raw sockets.

Each claim has a test of the same name.
"""

import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.config.reading import codes_of
from tests.logins import log_in, logs_in
from tests.peers import PeerConnection, RawPeer, answers
from tests.policies import PAGE
from tests.process import PROJECT, started
from tests.running import OK, Running, ask, running

CLAIMS = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
ORIGIN = f"Origin: {PAGE}\r\n".encode()
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def get(target: bytes = b"/", *lines: bytes, host: bytes = b"localhost:8010") -> bytes:
    """A request that is sent as it is given."""
    fields = b"".join(line.removesuffix(b"\r\n") + b"\r\n" for line in lines)
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, host, fields)


def post(body: bytes, *lines: bytes) -> bytes:
    return get(b"/", *lines).replace(b"GET", b"POST") + body


@pytest.fixture
async def upstream() -> AsyncIterator[RawPeer]:
    async with RawPeer(answers(OK)) as peer:
        yield peer


@pytest.fixture
async def proxy(upstream: RawPeer, tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy that allows PAGE with credentials, and knows one wildcard."""
    more = "    - https://*.example.com\n  allow_credentials: true\n"
    async with running(upstream, tmp_path, more) as found:
        yield found
        found.command.process.terminate()
        assert await found.command.exit_code() == 0
        assert "Traceback" not in await found.command.complaints()


async def refused(proxy: Running, requests: Sequence[bytes], *statuses: int) -> None:
    """Each gets one of the statuses, no grant, and nothing behind it is answered."""
    for request in requests:
        client = await proxy.connect()
        await client.send(request)
        reply = await client.reply()
        assert reply.status in statuses, (request, reply)
        assert reply.grant is None, (request, reply)
        await client.close()


async def test_pages_that_are_not_listed(proxy: Running, upstream: RawPeer) -> None:
    evil = b"Origin: https://evil.example"
    simple = post(b"a=1", evil, b"Content-Length: 3")
    preflight = get(b"/", evil, b"Access-Control-Request-Method: GET").replace(
        b"GET /", b"OPTIONS /"
    )
    cross_site = get(b"/", evil, b"Sec-Fetch-Site: cross-site")
    other_scheme = get(b"/", b"Origin: https://localhost:8010", b"Sec-Fetch-Site: cross-site")
    handshakes = [get(b"/", evil, WEBSOCKET), get(b"/", evil, WEBSOCKET.replace(b"w", b"W"))]
    pages = [get(b"/", evil), simple, preflight, cross_site, other_scheme]
    await refused(proxy, [*pages, *handshakes], 403)
    assert upstream.heads == []


async def test_origins_that_only_look_right(proxy: Running, upstream: RawPeer) -> None:
    names = [
        PAGE + "/", PAGE + ".evil.example", PAGE + "@evil.example", PAGE.upper(), f"{PAGE}, {PAGE}",
        PAGE.replace("5173", "05173"), PAGE.replace(":", ".:", 1), "http://localhost", "null", "*",
        "https://example.com", "https://.example.com", "https://a..example.com", "https://a.example.com.",
        "https://example.com.evil.example", "https://evilexample.com", "https://evil.example/.example.com",
        "https://evil.example\\.example.com", "https://evil.example%2f.example.com", "file://",
        "https://a.example.com:8443", "http://a.example.com", "https://*.example.com", "http://127.0.0.1:5173",
    ]  # fmt: skip
    lines = [f"Origin: {name}".encode() for name in names]
    await refused(proxy, [get(b"/", line) for line in lines], 403)
    await refused(proxy, [get(b"/", ORIGIN, ORIGIN), get(b"/", ORIGIN, lines[1])], 403)
    assert upstream.heads == []


@pytest.mark.parametrize(
    ("origins", "code"),
    [
        ('"*"', "wildcard-with-credentials"),
        ('"null"', "null-with-credentials"),
        ('"https://*.com"', "public-suffix-with-credentials"),
        ('"https://*.github.io"', "public-suffix-with-credentials"),
        ("http://plain.example.com", "insecure-with-credentials"),
    ],
)
def test_combinations_that_open_everything(origins: str, code: str) -> None:
    text = (
        f"upstream: http://a.test\ncors: {{allow_origins: [{origins}], allow_credentials: true}}\n"
    )
    assert code in codes_of(text)


async def test_names_that_point_here(proxy: Running, upstream: RawPeer) -> None:
    names = [
        b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.io", b"localhost.",
        b"0.0.0.0", b"[::]",
        b"[::ffff:0:0]", b"0", b"127.1", b"2130706433", b"0x7f.1", b"evil.example:80",
    ]  # fmt: skip
    malformed = [
        b"",
        b"a@localhost",
        b"localhost@evil",
        b"localhost/x",
        b"localhost, evil",
        b"[::1",
    ]
    await refused(proxy, [get(host=name) for name in names], 421)
    await refused(proxy, [get(host=name) for name in malformed], 400)
    for name in names:
        assert (await ask(proxy.admin_port, get(b"/metrics", host=name))).status == 421
    two = get(b"/", b"Host: evil.example")
    reported = get(b"/", b"X-Forwarded-Host: localhost", host=b"evil.example")
    absolute = get(b"http://localhost/", host=b"evil.example")
    await refused(proxy, [two, reported, absolute], 400, 421)
    assert upstream.heads == []


async def test_other_destinations(upstream: RawPeer, tmp_path: Path) -> None:
    async with RawPeer(answers(OK)) as elsewhere:
        there = b"http://127.0.0.1:%d" % elsewhere.port
        found = b"HTTP/1.1 302 Found\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % there

        async def redirects(peer: PeerConnection) -> None:
            while True:
                await peer.head()
                await peer.send(found)

        async with RawPeer(redirects) as redirecting:
            async with running(redirecting, tmp_path) as proxy:
                reply = await proxy.ask(get())
                assert (reply.status, reply.value("Location")) == (302, f"{there.decode()}/")
                targets = [
                    there + b"/", b"http://localhost@127.0.0.1/", b"ftp://localhost/", b"*",
                    b"/..", b"/a/%2e%2e/b", b"/a/..%2fb", b"/a/..;/b", b"/a/..\\b",
                    b"/%252e%252e/", b"/a#b",
                ]  # fmt: skip
                await refused(proxy, [get(target) for target in targets], 400)
                authority = there.removeprefix(b"http://")
                connect = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority, authority)
                await refused(proxy, [connect], 405, 421)
                for inside in (b"//127.0.0.1/", b"/%b/" % there, b"/@127.0.0.1/"):
                    assert (await proxy.ask(get(inside))).status == 302
            assert elsewhere.connections == []
            assert [head.split(b" ")[1] for head in redirecting.heads[1:]] == [
                b"//127.0.0.1/",
                b"/%b/" % there,
                b"/@127.0.0.1/",
            ]


async def test_paths_that_can_be_read_as_another_routes(upstream: RawPeer, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{upstream.port}"
    more = (
        f"routes:\n  - {{path: /account, upstream: {url},"
        " cors: {allow_origins: [https://own.test], allow_credentials: true}}\n"
    )
    paths = [
        b"/%61ccount", b"/%61%63%63%6f%75%6e%74/x", b"//account", b"/;/account", b"/\\account",
        b"/%5caccount", b"/%2Faccount", b"/account;x", b"/account%3bx/y", b"/account;x/%61",
        b"/account%2f", b"/account%5Cx", b"http://localhost:8010//account",
    ]  # fmt: skip
    async with running(upstream, tmp_path, more) as proxy:
        for path in paths:
            for request in (get(path, ORIGIN), get(path), get(path, ORIGIN, WEBSOCKET)):
                reply = await proxy.ask(request)
                assert (reply.status, reply.value("Corsproxy-Reason")) == (400, "ambiguous-path")
        assert upstream.heads == []
        for path in (b"/a%20b//c;d", b"/account/a%2fb//c;d", b"/accounts%2f"):
            assert (await proxy.ask(get(path))).status == 200
        assert [head.split(b" ")[1] for head in upstream.heads] == [
            b"/a%20b//c;d",
            b"/account/a%2fb//c;d",
            b"/accounts%2f",
        ]


CHUNKED = b"Transfer-Encoding: chunked"
NO_CONTENT = b"0\r\n\r\n"
AMBIGUOUS = {
    "length, then chunked": post(NO_CONTENT, b"Content-Length: 5", CHUNKED),
    "chunked, then length": post(NO_CONTENT, CHUNKED, b"Content-Length: 5"),
    "length twice": post(b"a", b"Content-Length: 1", b"Content-Length: 1"),
    "lengths in a list": post(b"a", b"Content-Length: 1, 1"),
    "a signed length": post(b"a", b"Content-Length: +1"),
    "a hexadecimal length": post(b"a", b"Content-Length: 0x1"),
    "a length beyond numbers": post(b"a", b"Content-Length: 18446744073709551617"),
    "no length": post(b"", b"Content-Length: "),
    "chunked twice": post(NO_CONTENT, CHUNKED, CHUNKED),
    "chunked in a list": post(NO_CONTENT, b"Transfer-Encoding: chunked, chunked"),
    "chunked behind nothing": post(NO_CONTENT, b"Transfer-Encoding: ,chunked"),
    "chunked, not last": post(NO_CONTENT, b"Transfer-Encoding: chunked, identity"),
    "another coding": post(NO_CONTENT, b"Transfer-Encoding: gzip, chunked"),
    "chunked behind a control": post(NO_CONTENT, b"Transfer-Encoding: \x0bchunked"),
    "space before the colon": post(NO_CONTENT, b"Transfer-Encoding : chunked"),
    "a folded line": post(NO_CONTENT, b"Transfer-Encoding:\r\n chunked"),
    "bare line feeds": post(NO_CONTENT, CHUNKED).replace(b"\r\n", b"\n"),
    "a bare carriage return": get(b"/", b"X: a\rb"),
    "NUL": get(b"/", b"X: a\0b"),
    "HTTP/1.0 and chunked": post(NO_CONTENT, CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2.0": get().replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a chunk beyond numbers": post(b"10000000000000001\r\na\r\n", CHUNKED),
    "a negative chunk": post(b"-1\r\na\r\n", CHUNKED),
    "a chunk and more": post(b"1\r\nab\r\n" + NO_CONTENT, CHUNKED),
    "a line feed in an extension": post(b"1;a\nb\r\na\r\n" + NO_CONTENT, CHUNKED),
}


async def test_ambiguous_requests(proxy: Running, upstream: RawPeer) -> None:
    for name, request in AMBIGUOUS.items():
        client = await proxy.connect()
        await client.send(request + SMUGGLED)
        reply = await client.reply()
        assert reply.status in (400, 501, 505), name
        assert await client.rest() == b"", name
        await client.close()
    assert not [head for head in upstream.heads if b"/smuggled" in head]
    # What look-alikes say about the length is not heard, here or at the upstream.
    client = await proxy.connect()
    await client.send(post(NO_CONTENT, b"Transfer_Encoding: x", b"Content-Length: 5") + SMUGGLED)
    assert [(await client.reply()).status for _ in range(2)] == [200, 200]
    assert not [head for head in upstream.heads if b"Transfer_Encoding" in head]


async def test_an_answer_that_nobody_asked_for(tmp_path: Path) -> None:
    """Of "Ambiguous requests": what follows an answer is never the answer to another."""

    async def says_too_much(peer: PeerConnection) -> None:
        while True:
            await peer.head()
            await peer.send(OK + OK.replace(b"ok", b"no"))

    async with (
        RawPeer(says_too_much) as upstream,
        running(upstream, tmp_path) as proxy,
    ):
        for _ in range(5):
            assert (await proxy.ask(get())).content == b"ok"


async def test_fields_that_are_ours_to_say(tmp_path: Path) -> None:
    said = (
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://evil.example\r\n"
        b"access-control-allow-ORIGIN: *\r\nAccess-Control-Allow-Private-Network: true\r\n"
        b"Connection: content-length, vary, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    async with (
        RawPeer(answers(said)) as upstream,
        running(upstream, tmp_path) as proxy,
    ):
        stranger = await proxy.ask(get())
        assert stranger.content == b"ok"
        assert [name for name, _ in stranger.fields if name.lower().startswith(b"access-")] == []
        assert (stranger.value("X-Hop"), stranger.value("Vary")) == (None, "Origin")
        names = b"Connection: cookie, authorization, origin, host, content-length, via, x-hop"
        spoofed = [
            b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-Host: evil", b"X-Forwarded-User: evil",
            b"X_Forwarded_For: 6.6.6.6", b"Forwarded: for=6.6.6.6", b"X-Real-IP: 6.6.6.6",
        ]  # fmt: skip
        credentials = [b"Cookie: a=1", b"Authorization: Basic x"]
        reply = await proxy.ask(get(b"/", ORIGIN, names, b"X-Hop: 1", *credentials, *spoofed))
        assert reply.grant == PAGE
        sent = upstream.heads[-1]
        assert b"6.6.6.6" not in sent
        assert b"evil" not in sent
        assert b"X-Hop" not in sent
        for line in (*credentials, b"X-Forwarded-For: 127.0.0.1"):
            assert sent.count(b"\r\n%b\r\n" % line) == 1
    text = "upstream: http://a.test\ncors: {allow_origins: ['http://b.test']}\n"
    grants = "response_headers: {set: {Access-Control-Allow-Origin: x}}"
    routes = f"routes: [{{path: /, upstream: 'http://a.test', {grants}}}]\n"
    assert codes_of(text.replace("upstream: http://a.test\n", routes)) == ["managed-header"]


async def test_leaks(upstream: RawPeer, tmp_path: Path) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: id=hunter2\r\nContent-Length: 2\r\n\r\nok"
    secrets = [b"Cookie: id=hunter2", b"Authorization: Bearer hunter2"]
    async with (
        RawPeer(answers(cookie)) as setting,
        running(setting, tmp_path, "", "--log-format", "json") as proxy,
    ):
        await proxy.ask(get(b"/?access_token=hunter2", *secrets))
        await proxy.ask(get())
        assert b"hunter2" not in setting.heads[1]
        for broken in (
            get(b"/..", *secrets),
            get(b"/", *secrets, b"X : y"),
            get(b"/\x1b", *secrets),
        ):
            reply = await proxy.ask(broken)
            assert reply.status == 400
            assert b"hunter2" not in reply.content
        assert b"hunter2" not in (await ask(proxy.admin_port, get(b"/metrics"))).content
        proxy.command.process.terminate()
        assert await proxy.command.exit_code() == 0
        assert proxy.command.process.stdout is not None
        said = (await proxy.command.process.stdout.read()).decode()
        assert said.count('"event": "request"') == 5
        assert "hunter2" not in said + await proxy.command.complaints()


async def test_logins_on_a_connection(tmp_path: Path) -> None:
    """What becomes of them otherwise is in test_connection_logins.py."""
    async with RawPeer(logs_in()) as upstream, running(upstream, tmp_path) as proxy:
        alice, other = await proxy.connect(), await proxy.connect()
        assert (await log_in(alice, b"alice")).content == b"alice"
        await other.send(get())
        assert (await other.reply()).status == 401


async def test_exhaustion(upstream: RawPeer, tmp_path: Path) -> None:
    more = "limits: {head_timeout: 200ms, keepalive_timeout: 200ms}\n"
    async with running(upstream, tmp_path, more) as proxy:
        for unfinished in (b"GET / HT", get()[:-2]):
            client = await proxy.connect()
            await client.send(unfinished)
            assert (await client.reply()).status == 408
            assert await client.rest() == b""
        silent = await proxy.connect()
        assert await silent.rest() == b""


async def test_exhaustion_by_what_heads_hold(upstream: RawPeer, tmp_path: Path) -> None:
    """Of "Exhaustion": with the times of every day, which a busy machine keeps."""
    async with running(upstream, tmp_path) as proxy:
        process = Path(f"/proc/{proxy.command.process.pid}")
        held = resident(process)
        await flood(proxy)
        assert resident(process) - held < 4 * 1024
        # A head that is refused is read once, whatever is in it.
        spaces = get(b"/", b"Origin: a" + b" " * 30_000 + b"b", b"X : y")
        worked = spent(process)
        assert [(await proxy.ask(spaces)).status for _ in range(5)] == [400] * 5
        assert spent(process) - worked < 2


async def flood(proxy: Running) -> None:
    """Names, hosts and origins that nobody has sent before, long and many."""
    for number in range(400):
        client = await proxy.connect()
        long = b"%d" % number * 10_000
        await client.send(get(b"/..", long[:30_000] + b": x"))
        await client.reply()
        await client.close()
        reply = await proxy.ask(get(b"/", host=long[:30_000] + b".localhost"))
        assert reply.status == 400


def resident(process: Path) -> int:
    """The process's memory in KiB; 0 where the system does not tell."""
    memory = process / "statm"
    return int(memory.read_text().split()[1]) * 4 if memory.exists() else 0


def spent(process: Path) -> float:
    """The processor time that it has taken in seconds; 0 where the system does not tell."""
    figures = process / "stat"
    if not figures.exists():
        return 0.0
    user, system = figures.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_doubt(upstream: RawPeer, tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("cors: {allow_origins: [*]}\n")
    async with started("--admin", "off", cwd=tmp_path) as command:
        assert await command.exit_code() == 78
    async with running(upstream, tmp_path) as proxy:
        (tmp_path / "corsproxy.yaml").write_text("cors: {allow_origins: ['*']}\n")
        await proxy.command.event("reload-refused")
        evil = await proxy.ask(get(b"/", b"Origin: https://evil.example"))
        assert (evil.status, evil.grant) == (403, None)
        assert (await proxy.ask(get(b"/", ORIGIN))).grant == PAGE


async def test_the_admin_listener(proxy: Running) -> None:
    pages = [b"Origin: https://evil.example", b"Origin: null", b"Sec-Fetch-Site: cross-site"]
    for line in pages:
        for request in (get(b"/metrics", line), get(b"/drain", line).replace(b"GET", b"POST")):
            reply = await ask(proxy.admin_port, request)
            assert (reply.status, reply.grant) == (403, None)
    rebound = await ask(proxy.admin_port, get(b"/metrics", host=b"evil.example"))
    assert rebound.status == 421
    assert (await proxy.admin("/readyz")).status == 200


def test_every_claim_has_its_test() -> None:
    section = CLAIMS.partition("## What it refuses, and why")[2].partition("\n## ")[0]
    section = section.replace("'", "")
    claims = re.findall(r"(?m)^\*\*([^.(]+?)(?: \([^)]*\))?\.\*\*", section)
    assert len(claims) == 13
    for claim in claims:
        assert f"test_{claim.lower().replace(' ', '_')}" in globals(), claim
