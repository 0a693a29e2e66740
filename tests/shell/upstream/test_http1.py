"""shell/upstream/http1.py: one connection, against peers whose every byte is scripted."""

import asyncio
import gc
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
import trustme

from corsproxy.core.messages import Framing
from corsproxy.core.policy import Limits, Timeouts, Tls
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.streams.body_buffer import HIGH_WATER
from corsproxy.shell.streams.piece import PIECE_SIZE
from corsproxy.shell.upstream.http1_response import Http1Response
from corsproxy.shell.upstream.pool import UpstreamPools
from tests.exchanges import (
    Body,
    EndlessBody,
    ask,
    content,
    fetch,
    make_request,
    make_route,
    make_upload,
)
from tests.peers import (
    PeerConnection,
    RawPeer,
    Script,
    answers,
    sends_and_closes,
    settled,
    threaded_peer,
    until,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


async def fault_of(
    pools: UpstreamPools, script: Script, timeouts: Timeouts | None = None
) -> UpstreamError:
    """Ask for a whole response; return the error in its place."""
    async with RawPeer(script) as peer:
        with pytest.raises(UpstreamError) as caught:
            await content(await ask(pools, make_route(peer.port, timeouts=timeouts)))
        assert len(peer.connections) == 1
    return caught.value


# What goes out.


async def test_a_request_is_written_as_it_is(pools: UpstreamPools) -> None:
    request = make_request(
        "GET", b"/a%2Fb/[x]?q=a+b%20c&", (b"X-cAse", b"caf\xe9"), (b"Cookie", b"a=1"), (b"X-E", b"")
    )
    async with RawPeer(answers(OK)) as peer:
        response = await ask(pools, make_route(peer.port), request)
        assert await content(response) == b"ok"
        assert peer.heads == [
            (
                b"GET /a%2Fb/[x]?q=a+b%20c& HTTP/1.1\r\nHost: api.test\r\n"
                b"X-cAse: caf\xe9\r\nCookie: a=1\r\nX-E: \r\n\r\n"
            )
        ]


@pytest.mark.parametrize(
    ("length", "pieces", "wire"),
    [
        (5, [b"hello"], b"hello"),
        (None, [b"hello"], b"5\r\nhello\r\n0\r\n\r\n"),
        (0, [], b""),
        (None, [], b"0\r\n\r\n"),
    ],
)
async def test_content_that_has_arrived_leaves_with_the_head(
    pools: UpstreamPools, length: int | None, pieces: list[bytes], wire: bytes
) -> None:
    async def script(peer: PeerConnection) -> None:
        first = await peer.reader.read(65536)
        assert first.endswith(b"\r\n\r\n" + wire)
        await peer.send(OK)
        await peer.closed()

    body = Body(*pieces)
    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(length), body)
        assert await content(response) == b"ok"
        assert body.reads == 0
        await pools.close()


@pytest.mark.parametrize("length", [9, None])
async def test_the_rest_of_the_content_follows_as_it_comes(
    pools: UpstreamPools, length: int | None
) -> None:
    body = Body(b"one", b"two", b"end")

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        framed = (b"3\r\none\r\n", b"3\r\ntwo\r\n3\r\nend\r\n0\r\n\r\n")
        first, rest = (b"one", b"twoend") if length is not None else framed
        assert await peer.exactly(len(first)) == first
        body.more.set()
        assert await peer.exactly(len(rest)) == rest
        await peer.send(OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        assert await content(await ask(pools, route, make_upload(length), body)) == b"ok"
        await until(lambda: pools.figures()[0].idle == 1)
        await pools.close()


async def test_the_head_does_not_wait_for_the_content(pools: UpstreamPools) -> None:
    body = Body(b"late", arrived=0)

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        body.more.set()
        await peer.exactly(4)
        await peer.send(OK)

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(4), body)
        assert await content(response) == b"ok"


async def test_an_upload_goes_at_the_pace_of_the_upstream(pools: UpstreamPools) -> None:
    size = 64 * 1024 * 1024
    body = EndlessBody(size)
    resume = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await resume.wait()
        await peer.exactly(size)
        await peer.send(OK)

    async with RawPeer(script) as peer:
        asking = asyncio.ensure_future(ask(pools, make_route(peer.port), make_upload(size), body))
        assert size - await settled(lambda: body.left) < size // 2
        resume.set()
        assert await content(await asking) == b"ok"
        assert body.left == 0


# What comes in.


async def test_a_small_response_is_there_at_once(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        response = await ask(pools, make_route(peer.port))
        head = response.head
        assert (head.status, head.reason, head.framing) == (200, b"OK", Framing.LENGTH)
        assert head.fields == [(b"Content-Length", b"2")]
        assert response.take() == b"ok"
        assert response.at_end
        assert response.take() == await response.read() == b""


async def test_8_bit_values_keep_their_bytes_both_ways(pools: UpstreamPools) -> None:
    value = bytes(range(0x80, 0x100))
    reply = b"HTTP/1.1 200 caf\xe9\r\nX-A: %b\r\nContent-Length: 0\r\n\r\n" % value
    async with RawPeer(answers(reply)) as peer:
        response = await ask(
            pools, make_route(peer.port), make_request("GET", b"/", (b"X-B", value))
        )
        assert response.head.fields[0] == (b"X-A", value)
        assert response.head.reason == b"caf\xe9"
        assert b"X-B: " + value + b"\r\n" in peer.heads[0]


async def test_each_event_is_there_when_it_is_sent(pools: UpstreamPools) -> None:
    heard = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            await peer.send(b"data: %d\n\n" % number)
            await heard.wait()
            heard.clear()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port))
        for number in range(3):
            assert await response.read() == b"data: %d\n\n" % number
            heard.set()
        assert await response.read() == b""
        assert response.at_end


@pytest.mark.parametrize(
    "framing", [b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n", b""]
)
async def test_a_large_body_streams_through_a_small_buffer(
    pools: UpstreamPools, framing: bytes
) -> None:
    size, piece = 64 * 1024 * 1024, b"x" * 65536
    sent = 0

    async def script(peer: PeerConnection) -> None:
        nonlocal sent
        await peer.head()
        head = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
        await peer.send(head % size if b"%" in head else head)
        chunked = b"chunked" in framing
        while sent < size:
            await peer.send(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
            sent += len(piece)
        await peer.send(b"0\r\n\r\n" if chunked else b"")

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port))
        assert await settled(lambda: sent) < size // 2
        received = largest = 0
        while data := await response.read():
            received += len(data)
            largest = max(largest, len(data))
        assert received == size
        assert largest <= HIGH_WATER + PIECE_SIZE


async def test_interim_responses_are_dropped(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port))
        assert (response.head.status, response.take()) == (200, b"ok")
        await pools.close()


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n"),
    ],
)
async def test_a_response_without_content_ends_with_its_head(
    pools: UpstreamPools, method: str, reply: bytes
) -> None:
    async with RawPeer(answers(reply, OK)) as peer:
        route = make_route(peer.port)
        response = await ask(pools, route, make_request(method))
        assert response.head.framing is Framing.NONE
        assert response.at_end
        assert await fetch(pools, route, [b"/next"]) == [b"ok"]
        assert len(peer.connections) == 1


async def test_http_1_0_responses_pass(pools: UpstreamPools) -> None:
    async with RawPeer(sends_and_closes(b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nold")) as peer:
        response = await ask(pools, make_route(peer.port))
        assert response.head.framing is Framing.CLOSE
        assert await content(response) == b"old"


# Bytes that nobody asked for.


SPOILED = {
    "a second response": OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "more than the length": OK + b"evil",
    "more after the last chunk": CHUNKED + b"2\r\nok\r\n0\r\n\r\nevil",
    "content after 204": b"HTTP/1.1 204 No Content\r\n\r\nevil",
    "the beginning of one": OK + b"H",
}


@pytest.mark.parametrize("reply", SPOILED.values(), ids=SPOILED.keys())
async def test_bytes_after_a_response_reach_nobody(pools: UpstreamPools, reply: bytes) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(reply if peer.number == 0 else OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        await content(await ask(pools, route))
        assert await fetch(pools, route, [b"/bob"]) == [b"ok"]
        assert [len(connection.heads) for connection in peer.connections] == [1, 1]
        await pools.close()


@pytest.mark.parametrize(
    "pushed", [OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"\r\n", b"x"]
)
async def test_bytes_on_an_idle_connection_reach_nobody(
    pools: UpstreamPools, pushed: bytes
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(OK)
        if peer.number == 0:
            await until(lambda: pools.figures()[0].idle == 1)
            await peer.send(pushed)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        assert await fetch(pools, route, [b"/alice"]) == [b"ok"]
        await until(lambda: pools.figures()[0].open == 0)
        assert await fetch(pools, route, [b"/bob"]) == [b"ok"]
        assert [len(connection.heads) for connection in peer.connections] == [1, 1]
        await pools.close()


async def test_a_greeting_before_the_request_is_no_response(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.send(b"220 mail.test ESMTP\r\n")
        await peer.closed()

    error = await fault_of(pools, script)
    assert error.fault in (UpstreamFault.MALFORMED, UpstreamFault.CLOSED)


# Ends that are not ends.


def cut(sent: bytes, *, by_reset: bool) -> Script:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(sent)
        if by_reset:
            await peer.reset()

    return script


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    "chunk": CHUNKED + b"9\r\nhalf",
    "between chunks": CHUNKED + b"4\r\nhalf\r\n",
    "before the last empty line": CHUNKED + b"4\r\nhalf\r\n0\r\n",
}


@pytest.mark.parametrize("by_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("sent", CUT.values(), ids=CUT.keys())
async def test_a_cut_body_never_ends_properly(
    pools: UpstreamPools, sent: bytes, by_reset: bool
) -> None:
    error = await fault_of(pools, cut(sent, by_reset=by_reset))
    assert error.fault is UpstreamFault.TRUNCATED


async def test_a_reset_is_no_end_of_content_that_the_close_delimits(pools: UpstreamPools) -> None:
    error = await fault_of(pools, cut(b"HTTP/1.1 200 OK\r\n\r\nhalf", by_reset=True))
    assert error.fault is UpstreamFault.TRUNCATED


async def test_the_content_before_the_cut_is_still_read(pools: UpstreamPools) -> None:
    async with RawPeer(cut(CUT["length"], by_reset=False)) as peer:
        response = await ask(pools, make_route(peer.port))
        assert await response.read() == b"half"
        with pytest.raises(UpstreamError):
            await response.read()
        assert not response.at_end


@pytest.mark.parametrize("by_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(
    "sent", [b"", b"HTT", b"HTTP/1.1 200 OK\r\nX-A", b"HTTP/1.1 100 Go\r\n\r\n"]
)
async def test_a_connection_that_ends_before_the_head_is_closed(
    pools: UpstreamPools, sent: bytes, by_reset: bool
) -> None:
    error = await fault_of(pools, cut(sent, by_reset=by_reset))
    assert error.fault is UpstreamFault.CLOSED


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", UpstreamFault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n", UpstreamFault.MALFORMED),
        (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", UpstreamFault.MALFORMED),
        (CHUNKED + b"zz\r\n", UpstreamFault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", UpstreamFault.HEAD_TOO_LARGE),
    ],
)
async def test_a_response_that_breaks_the_rules_is_refused(
    pools: UpstreamPools, reply: bytes, fault: UpstreamFault
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(reply)
        await peer.closed()

    assert (await fault_of(pools, script)).fault is fault


# Early answers.


@pytest.mark.parametrize("attempt", range(20))
async def test_an_early_refusal_survives_the_reset_behind_it(
    pools: UpstreamPools, attempt: int
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.exactly(100_000 + attempt * 20_000)
        await peer.send(TOO_LARGE)
        if attempt % 2:
            await peer.reset()
        # Otherwise closing with unread bytes resets as well.

    body = EndlessBody(20 * 1024 * 1024)
    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(body.left), body)
        assert response.head.status == 413
        assert await content(response) == b"much"


class StandingStill:
    """A body that lets what was written leave, holds up the event loop until `refused`, and then
    has more to send."""

    at_end = False

    def __init__(self) -> None:
        self.refused = threading.Event()

    def take(self) -> bytes:
        return b"x"

    async def read(self, most: int = 0) -> bytes:
        await asyncio.sleep(0)
        assert self.refused.wait(10)
        return b"x" * 100_000


@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
async def test_an_early_refusal_survives_a_write_into_the_reset(
    pools: UpstreamPools, secure: bool, tmp_path: Path
) -> None:
    body = StandingStill()

    def refuse(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(TOO_LARGE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        body.refused.set()

    server, tls = None, None
    if secure:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        tls = Tls(ca_file=str(tmp_path / "ca.pem"))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(server)
    with threaded_peer(refuse, server) as port:
        route = make_route(port, host="localhost", tls=tls)
        response = await ask(pools, route, make_upload(10**9), body)
        assert response.head.status == 413
        assert await content(response) == b"much"


async def test_an_early_answer_comes_while_the_upload_goes_on(pools: UpstreamPools) -> None:
    body = Body(b"one", b"two")

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.exactly(3)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await peer.send(await peer.exactly(3))
        await peer.closed()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(6), body)
        assert await response.read() == b"one"
        body.more.set()
        assert await content(response) == b"two"
        await pools.close()


async def test_an_answer_that_is_complete_ends_the_upload(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.exactly(3)
        await peer.send(OK)
        assert await peer.closed() == b""

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(6), Body(b"one", b"two"))
        assert response.take() == b"ok"
        assert response.at_end
        await until(lambda: pools.figures()[0].open == 0)


class ClientGoneError(Exception):
    """What a server's body may raise."""


@pytest.mark.parametrize("length", [9, None])
async def test_a_failing_body_aborts_the_upstream_and_is_passed_on(
    pools: UpstreamPools, length: int | None
) -> None:
    body = Body(b"half", failure=ClientGoneError())

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.until(b"half")
        body.more.set()
        assert b"0\r\n" not in await peer.closed()

    async with RawPeer(script) as peer:
        with pytest.raises(ClientGoneError):
            await ask(pools, make_route(peer.port), make_upload(length), body)
        await until(lambda: pools.figures()[0].open == 0)


async def test_a_body_that_fails_after_the_head_fails_the_content(pools: UpstreamPools) -> None:
    body = Body(b"half", failure=ClientGoneError())

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(CHUNKED)
        await peer.closed()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_upload(9), body)
        body.more.set()
        with pytest.raises(ClientGoneError):
            await response.read()


# Time.


async def silent(peer: PeerConnection) -> None:
    await peer.head()
    await peer.closed()


async def test_a_head_that_does_not_come_is_a_timeout(pools: UpstreamPools) -> None:
    error = await fault_of(pools, silent, timeouts=Timeouts(response=0.05))
    assert error.fault is UpstreamFault.RESPONSE_TIMEOUT
    assert "0.05 s" in error.detail


async def test_an_upstream_that_takes_no_content_is_a_timeout(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # StreamWriter's transport reads too
        await until(lambda: pools.figures()[0].in_flight == 0)

    body = EndlessBody(64 * 1024 * 1024)
    async with RawPeer(script) as peer:
        route = make_route(peer.port, timeouts=Timeouts(response=0.2))
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, route, make_upload(body.left), body)
        assert caught.value.fault is UpstreamFault.RESPONSE_TIMEOUT


async def test_a_slow_client_is_not_the_upstreams_timeout(pools: UpstreamPools) -> None:
    body = Body(b"one", b"two")

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.exactly(6)
        await peer.send(OK)

    async with RawPeer(script) as peer:
        route = make_route(peer.port, timeouts=Timeouts(response=0.2))
        asking = asyncio.ensure_future(ask(pools, route, make_upload(6), body))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done
        body.more.set()
        assert await content(await asking) == b"ok"


async def stalls(peer: PeerConnection) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    await peer.closed()


async def test_content_that_stalls_is_a_timeout(pools: UpstreamPools) -> None:
    error = await fault_of(pools, stalls, timeouts=Timeouts(idle=0.05))
    assert error.fault is UpstreamFault.IDLE_TIMEOUT
    assert "0.05 s" in error.detail


async def test_a_slow_reader_is_not_the_upstreams_timeout(pools: UpstreamPools) -> None:
    size = 16 * 1024 * 1024
    more = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % size)
        await more.wait()
        await peer.send(b"x" * (size - 1))

    async with RawPeer(script) as peer:
        # A busy machine lets the upstream, too, wait for its turn.
        route = make_route(peer.port, timeouts=Timeouts(idle=0.5))
        response = await ask(pools, route)
        assert await response.read() == b"x"
        more.set()
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.7, later.set)
        await later.wait()
        assert len(await content(response)) == size - 1


async def test_a_slow_client_is_not_an_idle_connection(pools: UpstreamPools) -> None:
    body = Body(b"one", b"two")
    limits = Limits(upstream_keepalive=0.3)

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()
        await peer.exactly(6)
        await peer.send(OK)

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        assert await content(await ask(pools, route, limits=limits)) == b"ok"
        asyncio.get_running_loop().call_later(0.4, body.more.set)
        response = await ask(pools, route, make_upload(6), body, limits)
        assert await content(response) == b"ok"
        assert len(peer.connections) == 1


async def test_an_event_stream_may_be_silent(pools: UpstreamPools) -> None:
    speak = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await speak.wait()
        await peer.send(b"data: x\n\n")

    async with RawPeer(script) as peer:
        # The first is also the time that the head has to arrive.
        route = make_route(peer.port, timeouts=Timeouts(response=0.3, idle=0.05))
        response = await ask(pools, route)
        asyncio.get_running_loop().call_later(0.4, speak.set)
        assert await content(response) == b"data: x\n\n"


async def test_no_timeout_waits(pools: UpstreamPools) -> None:
    speak = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await speak.wait()
        await peer.send(OK)

    async with RawPeer(script) as peer:
        route = make_route(peer.port, timeouts=Timeouts(None, None, None))
        asyncio.get_running_loop().call_later(0.05, speak.set)
        assert await fetch(pools, route, [b"/"]) == [b"ok"]


# Leaving.


@pytest.mark.parametrize("uploads", [False, True])
async def test_cancelling_the_request_drops_the_connection(
    pools: UpstreamPools, uploads: bool
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        asked.set()
        await peer.closed()
        left.set()

    async with RawPeer(script) as peer:
        upload = (make_upload(9), Body(b"half")) if uploads else ()
        asking = asyncio.ensure_future(ask(pools, make_route(peer.port), *upload))
        await asked.wait()
        asking.cancel()
        async with asyncio.timeout(20):
            await left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert pools.figures()[0].in_flight == 0


async def test_aborting_a_response_drops_the_connection(pools: UpstreamPools) -> None:
    left = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await stalls(peer)
        left.set()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port))
        response.abort()
        response.abort()
        async with asyncio.timeout(20):
            await left.wait()
        assert not response.at_end


async def test_aborting_a_complete_response_leaves_the_connection_alone(
    pools: UpstreamPools,
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()
        asked.set()
        await answer.wait()
        await peer.send(OK)
        await peer.closed()

    async with RawPeer(script) as peer:
        route = make_route(peer.port)
        first = await ask(pools, route)
        second = asyncio.ensure_future(ask(pools, route))
        await asked.wait()
        first.abort()
        answer.set()
        assert await content(await second) == b"ok"
        assert await content(first) == b"ok"
        assert len(peer.connections) == 1
        await pools.close()


async def test_a_reader_that_is_cancelled_can_read_again(pools: UpstreamPools) -> None:
    speak = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(CHUNKED)
        await speak.wait()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port))
        reading = asyncio.ensure_future(response.read())
        await until(lambda: True)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        speak.set()
        assert await content(response) == b"ok"


async def test_exchanges_leave_no_garbage_behind(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        route = make_route(peer.port)
        await fetch(pools, route, [b"/"] * 10)
        gc.collect()
        gc.disable()
        try:
            await fetch(pools, route, [b"/"] * 10)
            before = len(gc.get_objects())
            await fetch(pools, route, [b"/"] * 200)
            assert len(gc.get_objects()) - before < 50
        finally:
            gc.enable()


def responses_in_memory() -> list[Http1Response]:
    return [each for each in gc.get_objects() if isinstance(each, Http1Response)]


@pytest.mark.parametrize("reply", [CUT["length"], CUT["chunk"]])
async def test_what_an_exchange_held_is_freed_without_a_collection(
    pools: UpstreamPools, reply: bytes
) -> None:
    """Contents are large: they must not wait for the garbage collector."""

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(reply)
        await peer.closed()

    gc.collect()
    gc.disable()
    left_by_others = responses_in_memory()
    try:
        async with RawPeer(script) as peer:
            response = await ask(pools, make_route(peer.port))
            assert await response.read() == b"half"
            response.abort()
            del response
            await until(lambda: pools.figures()[0].open == 0)
        assert [each for each in responses_in_memory() if each not in left_by_others] == []
    finally:
        gc.enable()


# Tunnels.


async def test_a_101_becomes_a_tunnel(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH + b"first")
        assert await peer.exactly(4) == b"ping"
        await peer.send(b"pong")
        assert await peer.closed() == b"bye"
        await peer.send(b"last words")

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        assert response.head.status == 101
        tunnel = response.switch()
        assert await tunnel.read() == b"first"
        await tunnel.write(b"ping")
        assert await tunnel.read() == b"pong"
        await tunnel.write(b"bye")
        tunnel.write_eof()
        assert await tunnel.read() == b"last words"
        assert await tunnel.read() == b""
        await until(lambda: pools.figures()[0].open == 0)
        assert pools.figures()[0].in_flight == 0


async def test_a_tunnel_goes_on_after_the_upstream_has_closed_its_side(
    pools: UpstreamPools,
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH)
        peer.finish()
        assert await peer.closed() == b"still here"

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        tunnel = response.switch()
        assert await tunnel.read() == b""
        await tunnel.write(b"still ")
        await tunnel.write(b"here")
        tunnel.write_eof()
        await until(lambda: pools.figures()[0].open == 0)


async def test_a_declined_upgrade_is_a_response(pools: UpstreamPools) -> None:
    async with RawPeer(answers(OK)) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        assert response.head.status == 200
        assert await content(response) == b"ok"


async def test_a_tunnel_has_no_idle_timeout(pools: UpstreamPools) -> None:
    speak = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH)
        await speak.wait()
        await peer.send(b"late")

    async with RawPeer(script) as peer:
        route = make_route(peer.port, timeouts=Timeouts(response=0.3, idle=0.05))
        response = await ask(pools, route, make_request(upgrade=True))
        asyncio.get_running_loop().call_later(0.4, speak.set)
        tunnel = response.switch()
        assert await tunnel.read() == b"late"
        tunnel.abort()


async def test_a_reset_tunnel_raises(pools: UpstreamPools) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH)
        await peer.exactly(1)
        await peer.reset()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        tunnel = response.switch()
        await tunnel.write(b"x")
        with pytest.raises(ConnectionError):
            await tunnel.read()
        with pytest.raises(ConnectionError):
            await tunnel.write(b"y")
        tunnel.write_eof()
        tunnel.abort()


async def test_a_tunnel_that_was_lost_before_it_was_taken_up_says_so(
    pools: UpstreamPools,
) -> None:
    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH + b"x")
        await peer.reset()

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        await until(lambda: pools.figures()[0].open == 0)
        tunnel = response.switch()
        assert await tunnel.read() == b"x"
        with pytest.raises(ConnectionError):
            await tunnel.read()
        with pytest.raises(ConnectionError):
            await tunnel.write(b"y")
        tunnel.write_eof()
        tunnel.abort()


async def test_a_tunnel_feels_backpressure_both_ways(pools: UpstreamPools) -> None:
    size = 16 * 1024 * 1024
    go = asyncio.Event()

    async def script(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(SWITCH)
        await go.wait()
        assert await peer.exactly(size) == b"u" * size
        await peer.send(b"d" * size)

    async with RawPeer(script) as peer:
        response = await ask(pools, make_route(peer.port), make_request(upgrade=True))
        tunnel = response.switch()
        writing = asyncio.ensure_future(tunnel.write(b"u" * size))
        done, _ = await asyncio.wait([writing], timeout=0.05)
        assert not done
        go.set()
        await writing
        received = 0
        while received < size:
            data = await tunnel.read()
            assert len(data) <= HIGH_WATER + PIECE_SIZE
            received += len(data)
        tunnel.abort()


# Limits that the shell passes on.


async def test_the_upstreams_field_section_is_bounded_by_the_limit(pools: UpstreamPools) -> None:
    async with RawPeer(answers(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2000 + b"\r\n\r\n")) as peer:
        with pytest.raises(UpstreamError) as caught:
            await ask(pools, make_route(peer.port), limits=Limits(upstream_field_section=1000))
        assert caught.value.fault is UpstreamFault.HEAD_TOO_LARGE
        assert "limits.upstream_field_section" in caught.value.detail
