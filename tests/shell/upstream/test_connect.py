"""shell/upstream/connect.py: reaching an upstream, and all the ways to fail."""

import asyncio
import errno
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from corsproxy.core.policy import Timeouts, Tls
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.forward_proxy import ForwardProxies
from corsproxy.shell.upstream.pool import UpstreamPools
from corsproxy.shell.upstream.resolver import AddressInfo, Resolver
from tests.exchanges import Body, ask, content, fetch, make_request, make_route, make_upload
from tests.peers import PeerConnection, RawPeer, answers, sends_and_closes, threaded_peer, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


async def fault_of(
    pools: UpstreamPools,
    port: int,
    *,
    host: str = "127.0.0.1",
    tls: Tls | None = None,
    timeouts: Timeouts | None = None,
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(pools, make_route(port, host=host, tls=tls, timeouts=timeouts))
    assert pools.figures()[0].failed_connects == 1
    return caught.value


# TCP.


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_listening_is_unreachable(pools: UpstreamPools, host: str) -> None:
    port = free_port()
    error = await fault_of(pools, port, host=host)
    assert error.fault is UpstreamFault.UNREACHABLE
    assert f"http://{host}:{port}" in error.detail


async def test_a_refusal_says_so(pools: UpstreamPools) -> None:
    assert "connection refused" in (await fault_of(pools, free_port())).detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".test"])
async def test_a_name_that_does_not_exist_is_a_fault_of_its_own(
    pools: UpstreamPools, host: str
) -> None:
    error = await fault_of(pools, 80, host=host)
    assert error.fault is UpstreamFault.DNS
    assert host in error.detail


@pytest.fixture
def full_port() -> Iterator[int]:
    """A listener whose queue is full: connecting to it takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            assert sock.connect_ex(address) in (0, errno.EINPROGRESS)
        yield address[1]
        for sock in waiting:
            sock.close()


async def test_connecting_has_a_bound(pools: UpstreamPools, full_port: int) -> None:
    error = await fault_of(pools, full_port, timeouts=Timeouts(connect=0.1))
    assert error.fault is UpstreamFault.CONNECT_TIMEOUT
    assert "0.1 s (timeout.connect)" in error.detail


async def test_cancelling_while_connecting_leaves_nothing(
    pools: UpstreamPools, full_port: int
) -> None:
    asking = asyncio.ensure_future(ask(pools, make_route(full_port)))
    await until(lambda: bool(pools.figures()) and pools.figures()[0].connects == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert pools.figures()[0].in_flight == 0


def has(host: str) -> bool:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, 0), family=family).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("bound", [host for host in ("127.0.0.1", "::1") if has(host)])
async def test_localhost_is_reached_on_either_loopback(pools: UpstreamPools, bound: str) -> None:
    async with RawPeer(answers(OK), host=bound) as peer:
        route = make_route(peer.port, host="localhost")
        assert await fetch(pools, route, [b"/"]) == [b"ok"]


async def test_the_next_address_is_tried_where_one_does_not_answer(full_port: int) -> None:
    async with RawPeer(answers(OK)) as peer:

        async def look_up(host: str, port: int) -> list[AddressInfo]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", full_port)),
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", peer.port)),
            ]

        pools = UpstreamPools(Dialer(resolver=Resolver(look_up=look_up)))
        assert await fetch(pools, make_route(80, host="two.test"), [b"/"]) == [b"ok"]
        await pools.close()


async def test_a_moved_upstream_is_found_again() -> None:
    async with RawPeer(sends_and_closes(OK)) as old, RawPeer(sends_and_closes(OK)) as new:
        ports = [old.port, new.port]

        async def look_up(host: str, port: int) -> list[AddressInfo]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", ports.pop(0)))]

        pools = UpstreamPools(Dialer(resolver=Resolver(ttl=0, look_up=look_up)))
        route = make_route(80, host="moving.test")
        await fetch(pools, route, [b"/1"])
        await until(lambda: pools.figures()[0].open == 0)
        await fetch(pools, route, [b"/2"])
        assert (len(old.heads), len(new.heads)) == (1, 1)
        await pools.close()


async def test_a_name_whose_addresses_fail_is_looked_up_at_once() -> None:
    async with RawPeer(answers(OK)) as peer:
        ports = [free_port(), peer.port]

        async def look_up(host: str, port: int) -> list[AddressInfo]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", ports.pop(0)))]

        pools = UpstreamPools(Dialer(resolver=Resolver(ttl=60, look_up=look_up)))
        route = make_route(80, host="moving.test")
        assert await fetch(pools, route, [b"/"]) == [b"ok"]
        await pools.close()


# Unix sockets.


async def test_a_unix_socket_is_an_upstream(pools: UpstreamPools, tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    async with RawPeer(answers(OK), path=path) as peer:
        route = make_route(socket_path=path)
        assert await fetch(pools, route, [b"/1", b"/2"]) == [b"ok", b"ok"]
        assert len(peer.connections) == 1
        await pools.close()


async def test_a_unix_socket_that_is_not_there_is_unreachable(
    pools: UpstreamPools, tmp_path: Path
) -> None:
    for name, words in (("missing.sock", "no such file"), ("stale.sock", "connection refused")):
        path = str(tmp_path / name)
        if name == "stale.sock":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(path)
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, make_route(socket_path=path))
        assert caught.value.fault is UpstreamFault.UNREACHABLE
        assert words in caught.value.detail
        assert path in caught.value.detail


# TLS.


async def test_a_certificate_of_an_added_authority_is_accepted(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    offered = None

    async def script(peer: PeerConnection) -> None:
        nonlocal offered
        offered = peer.writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await answers(OK)(peer)

    context = server_context(ca, "localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with RawPeer(script, tls=context) as peer:
        route = make_route(peer.port, host="localhost", tls=Tls(ca_file=ca_file))
        assert await fetch(pools, route, [b"/1", b"/2"]) == [b"ok", b"ok"]
        assert len(peer.connections) == 1
        assert offered == "http/1.1"
        await pools.close()


@pytest.mark.parametrize(
    ("names", "trusted", "words"),
    [
        (["localhost"], False, "unable to get local issuer certificate"),
        (["other.test"], True, "localhost"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_a_tls_fault(
    pools: UpstreamPools,
    ca: trustme.CA,
    ca_file: str,
    names: list[str],
    trusted: bool,
    words: str,
) -> None:
    tls = Tls(ca_file=ca_file) if trusted else Tls()
    async with RawPeer(answers(OK), tls=server_context(ca, *names)) as peer:
        error = await fault_of(pools, peer.port, host="localhost", tls=tls)
    assert error.fault is UpstreamFault.TLS
    assert words in error.detail
    assert "tls.ca_file" in error.detail


async def test_without_verification_any_certificate_is_accepted(
    pools: UpstreamPools, ca: trustme.CA
) -> None:
    async with RawPeer(answers(OK), tls=server_context(ca, "other.test")) as peer:
        route = make_route(peer.port, host="localhost", tls=Tls(verify=False))
        assert await fetch(pools, route, [b"/"]) == [b"ok"]
        await pools.close()


async def test_the_server_name_is_sent_and_verified(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    asked_for: list[str | None] = []
    context = server_context(ca, "inner.test")
    context.sni_callback = lambda _, name, __: asked_for.append(name)
    async with RawPeer(answers(OK), tls=context) as peer:
        tls = Tls(ca_file=ca_file, server_name="inner.test")
        route = make_route(peer.port, host="localhost", tls=tls)
        assert await fetch(pools, route, [b"/"]) == [b"ok"]
        assert asked_for == ["inner.test"]
        await pools.close()


async def test_a_client_certificate_is_shown(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    leaf = ca.issue_cert("client.test")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    context = server_context(ca, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    async with RawPeer(answers(OK), tls=context) as peer:
        with_certificate = Tls(ca_file=ca_file, cert_file=str(cert), key_file=str(key))
        route = make_route(peer.port, host="localhost", tls=with_certificate)
        assert await fetch(pools, route, [b"/"]) == [b"ok"]
        await pools.close()


class LateBody(Body):
    """Content that holds up the event loop from when it is `wanted` until the upstream has
    `left`."""

    def __init__(self) -> None:
        super().__init__(b"x")
        self.wanted = threading.Event()
        self.left = threading.Event()

    def take(self) -> bytes:
        self.wanted.set()
        assert self.left.wait(10)
        return super().take()


@pytest.mark.parametrize(
    ("version", "late"),
    [
        (ssl.TLSVersion.TLSv1_2, False),
        (ssl.TLSVersion.TLSv1_3, False),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=["1.2", "1.3", "1.3 behind the handshake"],
)
async def test_a_missing_client_certificate_has_one_cause(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str, version: ssl.TLSVersion, late: bool
) -> None:
    """Also where the request is written when the refusal, and a reset behind it, are there."""
    context = server_context(ca, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    body = LateBody()

    def refuse(sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        is_refused = False
        while not is_refused:
            incoming.write(sock.recv(65536))
            try:
                tls.do_handshake()
            except ssl.SSLError as error:
                is_refused = not isinstance(error, ssl.SSLWantReadError)
            sock.sendall(outgoing.read())
            assert not late or body.wanted.wait(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        body.left.set()

    with threaded_peer(refuse) as port:
        route = make_route(port, host="localhost", tls=Tls(ca_file=ca_file))
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, route, make_upload(1), body)
    assert caught.value.cause is UpstreamCause.CLIENT_CERTIFICATE
    assert "certificate required (tls.cert_file)" in caught.value.detail or not late


async def test_no_cipher_in_common_is_no_missing_certificate(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    context = server_context(ca, "localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    with threaded_peer(socket.socket.close, context) as port:
        error = await fault_of(pools, port, host="localhost", tls=Tls(ca_file=ca_file))
    assert error.fault is UpstreamFault.TLS
    assert error.cause is None


async def test_a_server_of_http2_only_is_named(pools: UpstreamPools, ca_file: str) -> None:
    """OpenSSL's servers and Go's say: no_application_protocol (RFC 7301, 3.2)."""

    def script(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"\x15\x03\x03\x00\x02\x02\x78")
        sock.recv(1)

    with threaded_peer(script) as port:
        error = await fault_of(pools, port, host="localhost", tls=Tls(ca_file=ca_file))
    assert error.cause is UpstreamCause.HTTP2
    assert "ALPN" in error.detail


@pytest.mark.parametrize(
    ("names", "trusted", "cause"),
    [
        (["localhost"], False, UpstreamCause.UNTRUSTED),
        (["other.test"], True, UpstreamCause.WRONG_NAME),
    ],
)
async def test_a_certificate_that_is_not_accepted_has_a_cause(
    pools: UpstreamPools,
    ca: trustme.CA,
    ca_file: str,
    names: list[str],
    trusted: bool,
    cause: UpstreamCause,
) -> None:
    tls = Tls(ca_file=ca_file) if trusted else Tls()
    with threaded_peer(socket.socket.close, server_context(ca, *names)) as port:
        error = await fault_of(pools, port, host="localhost", tls=tls)
    assert error.cause is cause


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", UpstreamFault.TLS),
        (b"", UpstreamFault.TLS),
        (None, UpstreamFault.CONNECT_TIMEOUT),
    ],
    ids=["answers", "closes", "waits"],
)
async def test_a_server_without_tls_has_a_cause(
    pools: UpstreamPools, answer: bytes | None, fault: UpstreamFault
) -> None:
    def script(sock: socket.socket) -> None:
        sock.recv(4096)
        if answer is None:
            sock.recv(1)
        else:
            sock.sendall(answer)

    timeouts = Timeouts(connect=0.8 if answer is None else 5.0)
    with threaded_peer(script) as port:
        error = await fault_of(pools, port, tls=Tls(), timeouts=timeouts)
    assert error.fault is fault
    assert error.cause is UpstreamCause.NOT_TLS


async def test_a_handshake_that_is_refused_is_said(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    context = server_context(ca, "localhost")
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with threaded_peer(socket.socket.close, context) as port:
        error = await fault_of(pools, port, host="localhost", tls=Tls(ca_file=ca_file))
    assert error.fault is UpstreamFault.TLS
    assert "unrecognized name" in error.detail


async def test_contexts_are_made_once(pools: UpstreamPools, ca: trustme.CA, ca_file: str) -> None:
    script = sends_and_closes(OK)
    async with RawPeer(script, tls=server_context(ca, "localhost")) as peer:
        route = make_route(peer.port, host="localhost", tls=Tls(ca_file=ca_file))
        for _ in range(3):
            assert await fetch(pools, route, [b"/"]) == [b"ok"]
            await until(lambda: pools.figures()[0].open == 0)
        assert len(peer.connections) == 3


async def test_plain_http_behind_https_hints_at_the_scheme(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.closed()

    async with RawPeer(script) as peer:
        error = await fault_of(pools, peer.port, tls=Tls())
    assert error.fault is UpstreamFault.TLS
    assert "http://" in error.detail


@pytest.mark.parametrize("by_reset", [False, True])
async def test_a_handshake_that_is_cut_is_a_tls_fault(pools: UpstreamPools, by_reset: bool) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.reader.read(1)
        if by_reset:
            await peer.reset()

    async with RawPeer(script) as peer:
        assert (await fault_of(pools, peer.port, tls=Tls())).fault is UpstreamFault.TLS


async def test_the_handshake_is_part_of_connecting(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.closed()

    async with RawPeer(script) as peer:
        error = await fault_of(pools, peer.port, tls=Tls(), timeouts=Timeouts(connect=0.1))
    assert error.fault is UpstreamFault.CONNECT_TIMEOUT


async def test_a_tls_file_that_has_gone_is_a_tls_fault(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        error = await fault_of(pools, peer.port, tls=Tls(ca_file="/nowhere/ca.pem"))
    assert error.fault is UpstreamFault.TLS
    assert "/nowhere/ca.pem" in error.detail


@pytest.mark.parametrize("length", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_cut_body_never_ends_properly_over_tls(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str, length: bytes
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n9\r\nhalf")

    async with RawPeer(script, tls=server_context(ca, "localhost")) as peer:
        route = make_route(peer.port, host="localhost", tls=Tls(ca_file=ca_file))
        response = await ask(pools, route)
        with pytest.raises(UpstreamError) as caught:
            await content(response)
        assert caught.value.fault is UpstreamFault.TRUNCATED


async def test_content_that_the_close_delimits_ends_over_tls(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    script = sends_and_closes(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    async with RawPeer(script, tls=server_context(ca, "localhost")) as peer:
        route = make_route(peer.port, host="localhost", tls=Tls(ca_file=ca_file))
        assert await fetch(pools, route, [b"/"]) == [b"all of it"]


async def test_a_tunnel_over_tls_ends_one_way_at_a_time(
    pools: UpstreamPools, ca: trustme.CA, ca_file: str
) -> None:
    def script(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(SWITCH)
        received = b""
        while piece := sock.recv(65536):
            received += piece
        sock.sendall(received * 1000)

    with threaded_peer(script, server_context(ca, "localhost")) as port:
        route = make_route(port, host="localhost", tls=Tls(ca_file=ca_file))
        tunnel = (await ask(pools, route, make_request(upgrade=True))).switch()
        await tunnel.write(b"bye")
        tunnel.write_eof()
        received = b""
        while piece := await tunnel.read():
            received += piece
        assert received == b"bye" * 1000
        await until(lambda: pools.figures()[0].open == 0)


# Through a forward proxy.


async def test_http_goes_to_a_forward_proxy_in_absolute_form() -> None:
    async with RawPeer(answers(OK)) as proxy:
        settings = {"http": f"http://user:pass@127.0.0.1:{proxy.port}"}
        pools = UpstreamPools(Dialer(ForwardProxies(settings)))
        route = make_route(8080, host="api.test")
        assert await fetch(pools, route, [b"/a?b", b"/c"]) == [b"ok", b"ok"]
        assert proxy.heads[0] == (
            b"GET http://api.test:8080/a?b HTTP/1.1\r\nHost: api.test\r\n"
            b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        )
        assert len(proxy.connections) == 1
        await pools.close()


async def test_https_goes_through_a_forward_proxys_tunnel(ca: trustme.CA, ca_file: str) -> None:
    async with RawPeer(answers(OK), tls=server_context(ca, "api.test")) as upstream:

        async def script(peer: PeerConnection) -> None:
            await peer.head()
            await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)

            async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)

            try:
                await asyncio.gather(carry(peer.reader, writer), carry(reader, peer.writer))
            finally:
                writer.transport.abort()

        async with RawPeer(script) as proxy:
            settings = {"https": f"http://127.0.0.1:{proxy.port}"}
            pools = UpstreamPools(Dialer(ForwardProxies(settings)))
            route = make_route(8443, host="api.test", tls=Tls(ca_file=ca_file))
            assert await fetch(pools, route, [b"/a"]) == [b"ok"]
            assert proxy.heads == [b"CONNECT api.test:8443 HTTP/1.1\r\nHost: api.test:8443\r\n\r\n"]
            assert upstream.heads[0].startswith(b"GET /a HTTP/1.1\r\n")
            await pools.close()


@pytest.mark.parametrize(
    ("reply", "fault", "words"),
    [
        (b"", UpstreamFault.UNREACHABLE, "did not answer"),
        (b"HTTP/1.1 407 No\r\n\r\n", UpstreamFault.PROXY_AUTH, "a name and a password"),
        (b"HTTP/1.1 403 No\r\n\r\n", UpstreamFault.UNREACHABLE, "status 403"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", UpstreamFault.UNREACHABLE, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n", UpstreamFault.UNREACHABLE, "did not answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000, UpstreamFault.UNREACHABLE, "did not answer"),
    ],
)
async def test_a_forward_proxy_that_refuses_is_named(
    reply: bytes, fault: UpstreamFault, words: str
) -> None:
    async with RawPeer(sends_and_closes(reply)) as proxy:
        settings = {"https": f"http://127.0.0.1:{proxy.port}"}
        pools = UpstreamPools(Dialer(ForwardProxies(settings)))
        error = await fault_of(pools, 443, host="api.test", tls=Tls())
        assert error.fault is fault
        assert words in error.detail
        assert f"127.0.0.1:{proxy.port}" in error.detail


async def test_a_forward_proxy_that_resets_is_named() -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.reset()

    async with RawPeer(script) as proxy:
        settings = {"https": f"http://127.0.0.1:{proxy.port}"}
        pools = UpstreamPools(Dialer(ForwardProxies(settings)))
        error = await fault_of(pools, 443, host="api.test", tls=Tls())
        assert error.fault is UpstreamFault.UNREACHABLE
        assert f"the forward proxy 127.0.0.1:{proxy.port} failed" in error.detail


async def test_a_forward_proxy_that_is_down_is_named() -> None:
    port = free_port()
    pools = UpstreamPools(Dialer(ForwardProxies({"http": f"http://127.0.0.1:{port}"})))
    error = await fault_of(pools, 80, host="api.test")
    assert error.fault is UpstreamFault.UNREACHABLE
    assert f"the forward proxy 127.0.0.1:{port}" in error.detail


async def test_loopback_is_reached_past_the_forward_proxy() -> None:
    async with RawPeer(answers(OK)) as peer:
        pools = UpstreamPools(Dialer(ForwardProxies({"http": "http://127.0.0.1:1"})))
        assert await fetch(pools, make_route(peer.port), [b"/"]) == [b"ok"]
        await pools.close()


async def test_no_descriptor_left_is_an_answer_too(pools: UpstreamPools) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        error = await fault_of(pools, 9)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert error.fault is UpstreamFault.NO_DESCRIPTOR
    assert "too many open files" in error.detail
