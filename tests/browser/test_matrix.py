"""Some hundred calls: the decision, the model of the browser and Chromium agree on each."""

import json
from pathlib import Path

from corsproxy.config.reader import read_policy
from corsproxy.core.exchange import complete, decide
from corsproxy.core.messages import ClientHead, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.core.problems import Answer
from corsproxy.core.verdicts import Verdict
from tests.browser import intent, matrix, model
from tests.browser.chromium import CorsFailure, OpenTab, Tab
from tests.browser.matrix import Pair
from tests.browser.model import Blocked
from tests.browser.proxy import proxy_with_file
from tests.browser.servers import RecordingUpstream

RESPONSE = UpstreamHead(
    200,
    b"OK",
    (
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"2"),
        (b"X-Total-Count", b"3"),
        (b"X-Request-Id", b"r-1"),
    ),
    Framing.LENGTH,
)
IN_CHROMIUM = 60


def policy_of(content: object) -> Policy:
    return read_policy(json.dumps(content, indent=1), "matrix.yaml", {}, "/").policy


def test_the_model_and_the_decisions_agree_on_every_pair() -> None:
    policy = policy_of(matrix.allowlist("http://127.0.0.1:9", 5173, 3000))
    pairs = matrix.pairs(5173, 3000)
    assert len(pairs) >= 500
    for pair in pairs:
        blocked, head, verdict = predicted(policy, pair)
        assert (blocked is None) == intent.permits(pair.spec, pair.request), pair
        if blocked is None:
            names = model.readable_names(pair.request, head.fields)
            present = frozenset(name.decode().lower() for name, _ in head.fields)
            assert names == intent.readable(pair.spec, present), pair
        elif verdict.browser_error is not None and not is_about_credentials(blocked):
            assert verdict.browser_error == blocked.error, pair


def is_about_credentials(blocked: Blocked) -> bool:
    """Whether the browser refused for the one thing that it alone knows."""
    return "Credentials" in blocked.error or "Wildcard" in blocked.error


def predicted(policy: Policy, pair: Pair) -> tuple[Blocked | None, ClientHead, Verdict]:
    """What the model of the browser makes of the decisions about `pair`."""
    request, target = pair.request, pair.path.encode()
    host = (b"Host", b"localhost:8010")
    if model.needs_preflight(request):
        fields = [host, *model.preflight_fields(request)]
        answer = decide(policy, RequestHead("OPTIONS", target, fields))
        assert isinstance(answer, Answer)
        blocked = model.preflight_check(request, answer.head.status, answer.head.fields)
        if blocked is not None:
            return blocked, answer.head, answer.verdict
    fields = [host, (b"Origin", request.origin.encode())]
    decision = decide(policy, RequestHead(model.method_sent(request), target, fields))
    completed = decision if isinstance(decision, Answer) else complete(decision, RESPONSE)
    head = completed.head if isinstance(completed, Answer) else completed
    return model.cors_check(request, head.fields), head, decision.verdict


async def test_chromium_agrees_with_the_model(
    open_tab: OpenTab,
    tmp_path: Path,
    upstream: RecordingUpstream,
    page_port: int,
    unlisted_port: int,
) -> None:
    content = matrix.allowlist(upstream.url, page_port, unlisted_port)
    policy = policy_of(content)
    pairs = matrix.pairs(page_port, unlisted_port)
    # A stride that shares no factor with the table's sides meets all rows and columns.
    stride = 11
    assert len(pairs) // stride >= IN_CHROMIUM
    tabs: dict[str, Tab] = {}
    async with proxy_with_file(tmp_path, content) as running:
        for pair in pairs[::stride]:
            origin = pair.request.origin
            if origin not in tabs:
                tabs[origin] = await open_tab(origin)
            blocked, _, _ = predicted(policy, pair)
            await check(tabs[origin], f"{running.url}{pair.path}", pair, blocked)
            if not intent.allows_origin(pair.spec, origin):
                assert upstream.saw(pair.path) == []


async def check(tab: Tab, url: str, pair: Pair, blocked: Blocked | None) -> None:
    request = pair.request
    reading = await tab.fetch(
        url,
        {
            "method": request.method,
            "headers": dict(request.headers),
            "credentials": "include" if request.include else "omit",
            **({"body": "{}"} if request.method in ("POST", "PUT", "PATCH") else {}),
        },
    )
    assert reading.ok == (blocked is None), (pair, reading)
    if blocked is not None:
        assert await tab.cors_failure(url) == CorsFailure(blocked.error, blocked.parameter), pair
    elif reading.status == 200:
        present = frozenset({"x-total-count", "x-request-id"})
        assert present & reading.headers.keys() == intent.readable(pair.spec, present), pair
