"""Whether an upstream answers, without sending it a request."""

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import trustme

from corsproxy.core.policy import Policy, Tls
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.greeting import greetings
from tests.peers import RawPeer, answers
from tests.policies import policy_for_url


async def said(policy: Policy) -> list[tuple[str, bool]]:
    return [each async for each in greetings(policy, Dialer())]


async def test_a_reachable_upstream_gets_no_request() -> None:
    async with RawPeer(answers(b"")) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        [(sentence, answered)] = await said(policy_for_url(url, ()))
    assert answered
    assert sentence.startswith(f"{url} accepts connections (")


async def test_an_unreachable_upstream_is_reported_with_advice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    [(sentence, answered)] = await said(policy_for_url(f"http://127.0.0.1:{port}", ()))
    assert not answered
    assert sentence.startswith(f"cannot connect to http://127.0.0.1:{port}: ")
    assert "Check that the upstream is running" in sentence


async def test_tls_is_spoken_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """It once closed the connection below TLS, and the loop reported a fault."""
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with RawPeer(answers(b""), tls=context) as upstream:
        url = f"https://127.0.0.1:{upstream.port}"
        policy = policy_for_url(url, ())
        [route] = policy.routes
        trusting = replace(route, tls=Tls(ca_file=str(tmp_path / "ca.pem")))
        [(sentence, answered)] = await said(replace(policy, routes=(trusting,)))
        assert answered, sentence
        [(sentence, answered)] = await said(policy)
        assert not answered
    assert sentence.startswith(f"the certificate of {url} was not accepted: ")
    assert faults == []
