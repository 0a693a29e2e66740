"""Asking an upstream over the proxy's own connections."""

import asyncio

from corsproxy.core.explain.without_proxy import WithoutProxy, without_proxy
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Limits, UpstreamAddress
from corsproxy.shell.upstream.inquiry import inquire
from tests.peers import RawPeer, answers
from tests.policies import PAGE, policy, route

PREFLIGHT = (
    b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Methods: DELETE\r\n\r\n"
)
# The content never comes, and nobody waits for it.
ACTUAL = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 10\r\n\r\n"


async def asked(call: PageCall, port: int) -> WithoutProxy:
    under = policy(route(upstream=UpstreamAddress("http", "127.0.0.1", port)))
    dialogue = without_proxy(under, call, unsafe=True)
    return await asyncio.to_thread(inquire, dialogue, Limits())


async def test_the_preflight_and_the_call_are_sent_as_a_browser_would() -> None:
    async with RawPeer(answers(PREFLIGHT, ACTUAL)) as upstream:
        found = await asked(PageCall(PAGE, "/v1", "DELETE"), upstream.port)
        heads = upstream.heads
    assert found.allowed
    assert [head.split(b" ")[0] for head in heads] == [b"OPTIONS", b"DELETE"]
    assert b"Origin: http://localhost:5173\r\n" in heads[0]
    assert b"Access-Control-Request-Method: DELETE\r\n" in heads[0]
    assert b"Via" not in heads[1]


async def test_an_upstream_that_is_not_there_is_an_answer_too() -> None:
    async with RawPeer(answers(ACTUAL)) as upstream:
        port = upstream.port
    found = await asked(PageCall(PAGE, "/"), port)
    assert found.allowed is None
    assert "connection refused" in found.summary
