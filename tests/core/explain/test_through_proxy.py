"""The outcome of a call, told from what the upstream answers directly."""

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.core.explain.explanation import explain
from corsproxy.core.explain.through_proxy import through_proxy, words_through_proxy
from corsproxy.core.explain.without_proxy import Asked, WithoutProxy
from corsproxy.core.page_call import PageCall

PAGE = "http://localhost:5173"
URL = "https://api.example.com/x"
FILE = f"upstream: https://api.example.com\ncors:\n  allow_origins: [{PAGE}]\n"
PASSTHROUGH = "upstream: https://api.example.com\ncors: passthrough\n"


def outcome(
    *asked: Asked, text: str = FILE, origin: str = PAGE, allowed: bool | None = False
) -> str:
    policy = read_policy(text, "corsproxy.yaml", {}, "/").policy
    alone = WithoutProxy(URL, allowed, "", asked)
    explanation = explain(policy, PageCall(origin, "/x"))
    word = str(through_proxy(explanation, alone))
    assert words_through_proxy(explanation, alone).partition(".")[0] == word
    return word


def call(status: int = 200, location: bytes | None = None) -> Asked:
    return Asked("GET", status, (), None, location)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([call()], "answered the GET with 200, and the proxy adds the grant."),
        ([call(302, b"https://sso.example.com/")], "past the proxy: https://sso.example.com/"),
        ([], "It depends on the upstream, which was not asked."),
        ([Asked("preflight", 405, (), None)], "the answer to the GET, which was not sent."),
    ],
)
def test_the_reason_is_given(asked: list[Asked], words: str) -> None:
    policy = read_policy(FILE, "corsproxy.yaml", {}, "/").policy
    alone = WithoutProxy(URL, False, "", tuple(asked))
    assert words_through_proxy(explain(policy, PageCall(PAGE, "/x")), alone).endswith(words)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ([call()], "readable"),
        ([call(404)], "readable"),
        ([call(302, b"/login")], "readable"),
        ([call(302, b"https://api.example.com/login")], "readable"),
        ([call(302, b"https://sso.example.com/")], "leaves"),
        ([], "unknown"),
        ([Asked("preflight", 405, (), None)], "unknown"),
    ],
)
def test_of_an_allowed_page(asked: list[Asked], word: str) -> None:
    assert outcome(*asked) == word


def test_of_a_page_that_is_refused() -> None:
    assert outcome(call(), origin="https://evil.example") == "blocked"


@pytest.mark.parametrize(
    ("allowed", "word"), [(True, "readable"), (False, "blocked"), (None, "unknown")]
)
def test_of_a_route_whose_upstream_answers_cors(allowed: bool | None, word: str) -> None:
    assert outcome(call(), text=PASSTHROUGH, allowed=allowed) == word
