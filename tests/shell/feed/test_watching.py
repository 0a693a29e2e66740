"""feed/watching.py: an observer sees what both sides sent, and when."""

import time

import pytest

from corsproxy.core.decision import Decision, Forward
from corsproxy.core.messages import ClientHead, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.watching import Observer, Watch
from corsproxy.shell.streams.piece import Piece
from tests.fakes import FakeUpstream, echo, get, post, replying, serving
from tests.peers import PeerConnection, until
from tests.shell.listener.test_http1_exchange import handshake, opened, switching
from tests.shell.test_through_the_proxy import before


class Seen(Watch):
    """Keeps everything."""

    def __init__(self, request: RequestHead, decision: Decision, clock: float) -> None:
        super().__init__()
        self.request = request
        self.told = ["forward" if isinstance(decision, Forward) else "answer"]
        self.clock = clock
        self.sent = b""
        self.received = b""
        self.record: ExchangeRecord | None = None

    def response_begins(
        self, head: ClientHead, first: bytes, came: UpstreamHead | None, waited: float
    ) -> None:
        if came is not None:
            assert waited > 0
            self.told.append(f"upstream {came.status}")
        self.told.append(f"response {head.status}")
        self.received += first

    def request_content(self, piece: Piece) -> None:
        self.sent += piece

    def response_content(self, piece: Piece) -> None:
        self.received += piece

    def over(self, record: ExchangeRecord) -> None:
        self.record = record


class Everything(Observer):
    """Wants to see each exchange but those of /secret."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def begins(
        self, request: RequestHead, policy: Policy, decision: Decision, clock: float
    ) -> Seen | None:
        if request.target == b"/secret":
            return None
        self.seen.append(Seen(request, decision, clock))
        return self.seen[-1]


async def test_heads_and_content_of_both_directions_are_seen() -> None:
    observer = Everything()
    async with serving(FakeUpstream(echo)) as proxy:
        proxy.server.service.observer = observer
        client = await proxy.connect()
        await client.send(post(b"content"))
        assert (await client.reply()).content == b"content"
        await client.send(get(origin="https://evil.example"))
        assert (await client.reply()).status == 403
        await until(lambda: observer.seen[-1].record is not None)
        first, second = observer.seen
        assert [first.record, second.record] == proxy.records
    assert first.told == ["forward", "upstream 200", "response 200"]
    assert (first.sent, first.received) == (b"content", b"content")
    assert second.told == ["answer", "response 403"]
    assert b"origin-not-allowed" in second.received


async def test_it_works_without_a_journal() -> None:
    observer = Everything()
    async with serving(FakeUpstream(echo)) as proxy:
        proxy.server.service.observer = observer
        proxy.server.service.journal = None
        await proxy.ask(get())
        await until(lambda: observer.seen[0].record is not None)
    assert proxy.records == []


@pytest.mark.parametrize(
    ("sent", "method", "target"),
    [
        (b"PUT /v1?a=%zz HTTP/1.1\r\nBad Name: 1\r\nOrigin: http://localhost:5173\r\n\r\n",
         "PUT", b"/v1?a=%zz"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "", b"\x16\x03\x01\x02\x00\x01\x00"),
    ],
    ids=["a name with a space", "a TLS handshake"],
)  # fmt: skip
async def test_malformed_requests_are_seen_in_part(sent: bytes, method: str, target: bytes) -> None:
    observer = Everything()
    async with serving(FakeUpstream(echo)) as proxy:
        proxy.server.service.observer = observer
        assert (await proxy.ask(sent)).status == 400
        await until(lambda: bool(observer.seen) and observer.seen[0].record is not None)
    (seen,) = observer.seen
    assert (seen.request.method, seen.request.target) == (method, target)
    assert seen.request.fields == ([(b"Origin", b"http://localhost:5173")] if method else [])
    assert seen.told == ["answer", "response 400"]
    assert b"bad-request" in seen.received
    assert (b"TLS handshake" in seen.received) == (not method)


async def test_an_unwatched_exchange_is_not_observed() -> None:
    observer = Everything()
    async with serving(FakeUpstream(echo)) as proxy:
        proxy.server.service.observer = observer
        assert (await proxy.ask(get("/secret"))).status == 200
    assert observer.seen == []


async def test_a_tunnel_is_seen_both_ways() -> None:
    answer, observer = switching(b"other"), Everything()
    async with serving(FakeUpstream(replying(answer))) as proxy:
        proxy.server.service.observer = observer
        client = await opened(proxy, handshake("other") + b"up")
        await until(lambda: observer.seen[0].sent == b"up")
        answer.stream.to_client.put_nowait(b"down")
        assert await client.exactly(4) == b"down"
        assert observer.seen[0].received == b"down"


async def test_the_steps_to_the_upstream_are_timed() -> None:
    async def script(peer: PeerConnection) -> None:
        for _ in range(2):
            await peer.head()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    observer = Everything()
    async with before(script) as (proxy, _):
        proxy.server.service.observer = observer
        began = time.perf_counter()
        for _ in range(2):
            assert (await proxy.ask(get())).status == 200
    fresh, kept = observer.seen
    assert began < fresh.clock <= fresh.connecting < fresh.connected < fresh.sending
    assert fresh.secured == 0.0
    assert (kept.connecting, kept.connected) == (0.0, 0.0)
    assert kept.clock <= kept.sending
