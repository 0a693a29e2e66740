"""Whether an upstream answers, found out without asking it anything."""

import socket

from corsproxy.config.without_file import policy_for_url
from corsproxy.core.policy import Policy
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.greeting import greetings
from tests.peers import RawPeer, answers


async def said(policy: Policy) -> list[tuple[str, bool]]:
    return [each async for each in greetings(policy, Dialer())]


async def test_one_that_answers_is_not_asked_anything() -> None:
    async with RawPeer(answers(b"")) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        [(sentence, answered)] = await said(policy_for_url(url, ()))
    assert answered
    assert sentence.startswith(f"{url} answers (")


async def test_one_that_does_not_comes_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    [(sentence, answered)] = await said(policy_for_url(f"http://127.0.0.1:{port}", ()))
    assert not answered
    assert f"http://127.0.0.1:{port} does not answer: " in sentence
    assert "Check that the upstream is running" in sentence
