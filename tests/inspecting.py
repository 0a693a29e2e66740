"""Exchanges that were never captured, for tests of the inspector's output."""

from collections.abc import Sequence
from itertools import count

from corsproxy.core.answers import Answer
from corsproxy.core.decision import complete, decide
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead, UpstreamHead
from corsproxy.core.outcome.outcome import outcome_of
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.exchanges import Exchange, weight
from corsproxy.shell.admin.inspector.ring import Ring, Row
from corsproxy.shell.admin.inspector.rows import call_of
from corsproxy.shell.admin.inspector.secrets import Redactor
from tests.policies import PAGE, policy

KEY = b"a key that lasts for one test..."
POLICY = policy()
_clock = count(1)


def redactor() -> Redactor:
    return Redactor(KEY)


def captured(
    method: str = "GET",
    target: bytes = b"/v1/users",
    fields: Sequence[Field] = (),
    *,
    origin: str | None = PAGE,
    body: bytes = b"",
    status: int = 200,
    answer: Sequence[Field] = (),
    upstream: Sequence[Field] | None = None,
    content: bytes = b"",
    by: Policy = POLICY,
    is_http2: bool = False,
) -> Exchange:
    """An exchange that is over, decided as the proxy would have."""
    asked = [(b"Host", b"localhost:8010"), *fields]
    if origin is not None:
        asked.append((b"Origin", origin.encode("ascii")))
    request = RequestHead(method, target, asked, client="127.0.0.1", is_http2=is_http2)
    exchange = Exchange(request, 1_800_000_000.0, float(next(_clock)))
    decision = decide(by, request)
    exchange.verdict = decision.verdict
    exchange.head_bytes = weight(asked)
    exchange.request_body.add(body)
    if isinstance(decision, Answer):
        exchange.client_head = decision.head
        exchange.answer_body.add(decision.body)
    else:
        exchange.sent, exchange.upstream = decision.request, decision.route.upstream
        framing = Framing.LENGTH
        came = UpstreamHead(status, b"OK", answer if upstream is None else upstream, framing)
        exchange.upstream_head = came
        exchange.client_head = ClientHead(status, b"OK", answer, framing)
        if upstream is None and status != 101:
            went = complete(decision, came)
            assert isinstance(went, ClientHead)
            exchange.client_head = went
        exchange.answer_body.add(content)
    exchange.status = exchange.client_head.status
    begun = exchange.clock
    exchange.sending, exchange.headed = begun + 0.001, begun + 0.004
    exchange.answered_at, exchange.ended = begun + 0.005, begun + 0.012
    call = call_of(exchange)
    if call is not None:
        exchange.outcome = outcome_of(call, exchange.status, exchange.client_head.fields)
    exchange.is_over = True
    return exchange


def preflight(
    method: str = "PUT",
    target: bytes = b"/v1/users",
    headers: bytes = b"",
    *,
    origin: str = PAGE,
    by: Policy = POLICY,
) -> Exchange:
    asked = [(b"Access-Control-Request-Method", method.encode("ascii"))]
    if headers:
        asked.append((b"Access-Control-Request-Headers", headers))
    return captured("OPTIONS", target, asked, origin=origin, by=by)


def row(*exchanges: Exchange) -> Row:
    """The row that these make, the last of them if they are several."""
    ring = ring_of(*exchanges)
    return ring.since(0)[-1]


def ring_of(*exchanges: Exchange, most: int = 500) -> Ring:
    ring = Ring("epoch", most=most)
    for exchange in exchanges:
        ring.add(exchange)
    return ring
