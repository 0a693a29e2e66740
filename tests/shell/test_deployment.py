"""Asking a deployment over real sockets."""

import asyncio
import re

import pytest

from corsproxy.core.page_call import PageCall
from corsproxy.errors import StartError
from corsproxy.shell.deployment import Deployment
from tests.peers import PeerConnection, RawPeer, answers

PAGE = "https://app.example.com"
GRANT = f"Access-Control-Allow-Origin: {PAGE}\r\n".encode()


async def test_the_requests_are_those_of_a_browser() -> None:
    preflight = (
        b"HTTP/1.1 204 No Content\r\n" + GRANT + b"Access-Control-Allow-Headers: x-a\r\n\r\n"
    )
    answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n" + GRANT + b"\r\n"
    async with RawPeer(answers(preflight, answer)) as peer:
        async with Deployment(f"http://127.0.0.1:{peer.port}/") as deployment:
            call = PageCall(PAGE, "/a%2Fb?c=%C3%A4", headers=("X-A",))
            [judgement] = await deployment.judge([call])
        first, second = peer.heads
    assert (judgement.allowed, judgement.status) == (True, 500)
    assert first.startswith(b"OPTIONS /a%2Fb?c=%C3%A4 HTTP/1.1\r\n")
    assert b"Access-Control-Request-Headers: x-a\r\n" in first
    assert second.startswith(b"GET /a%2Fb?c=%C3%A4 HTTP/1.1\r\n")
    assert f"Origin: {PAGE}\r\n".encode() in second


async def test_a_redirect_is_an_answer_and_no_cookie_is_kept() -> None:
    redirect = (
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    )
    async with RawPeer(answers(redirect, redirect)) as peer:
        async with Deployment(f"http://127.0.0.1:{peer.port}") as deployment:
            [one] = await deployment.judge([PageCall(PAGE, "/")])
            [other] = await deployment.judge([PageCall(PAGE, "/")])
        assert len(peer.heads) == 2
        assert b"ookie" not in peer.heads[1]
    assert one.status == other.status == 302


async def hangs_up(peer: PeerConnection) -> None:
    await peer.head()
    peer.finish()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://[", "ftp://a.test"])
async def test_an_unreachable_deployment_is_an_error(url: str) -> None:
    async with Deployment(url) as deployment:
        with pytest.raises(StartError, match="cannot ask"):
            await deployment.judge([PageCall(PAGE, "/")])


async def greets(peer: PeerConnection) -> None:
    await peer.send(b"SSH-2.0-OpenSSH\r\n")
    await peer.closed()


UNUSABLE = {
    "it hangs up": (hangs_up, "http", "it closed the connection without answering"),
    "no HTTP": (
        answers(b"SSH-2.0-OpenSSH\r\n\r\n"),
        "http",
        "its response is not valid HTTP/1.1: it begins with something else",
    ),
    "bad head": (
        answers(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"),
        "http",
        "its response is not valid HTTP/1.1: Invalid header token",
    ),
    "no TLS": (greets, "https", "it does not speak TLS (does the URL need http://?)"),
    "cut TLS": (PeerConnection.reset, "https", "it closed the connection during the TLS handshake"),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_why_a_peer_cannot_be_asked_is_said_in_words(case: str) -> None:
    behave, scheme, words = UNUSABLE[case]
    url = f"{scheme}://127.0.0.1"
    async with RawPeer(behave) as peer, Deployment(f"{url}:{peer.port}") as deployment:
        with pytest.raises(StartError, match=re.escape(f"cannot ask {url}:{peer.port}: {words}")):
            await asyncio.wait_for(deployment.judge([PageCall(PAGE, "/")]), 10)
