"""What the browser would have done alone: what it asks, and what follows."""

from dataclasses import replace
from typing import Literal

import pytest

from corsproxy.core.explain.without_proxy import WithoutProxy, without_proxy
from corsproxy.core.messages import Field, ResponseHead, UpstreamRequest
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy, Tls, UpstreamAddress
from corsproxy.errors import UpstreamError, UpstreamFault
from tests.policies import PAGE, policy, route, values

ANYONE = (b"Access-Control-Allow-Origin", b"*")
METHODS = (b"Access-Control-Allow-Methods", b"PUT, DELETE")


def head(*lines: Field, status: int = 200) -> ResponseHead:
    return ResponseHead(status, b"", lines)


def held(
    call: PageCall,
    *answers: ResponseHead | UpstreamError,
    unsafe: bool = False,
    under: Policy | None = None,
) -> tuple[WithoutProxy, list[UpstreamRequest]]:
    """Hold the dialogue; every answer must be asked for."""
    dialogue = without_proxy(under or policy(), call, unsafe=unsafe)
    left, sent = list(answers), []
    try:
        asking = next(dialogue)
        while True:
            sent.append(asking.request)
            answer = left.pop(0)
            if isinstance(answer, UpstreamError):
                asking = dialogue.throw(answer)
            else:
                asking = dialogue.send(answer)
    except StopIteration as end:
        assert left == []
        judgement: WithoutProxy = end.value
        return judgement, sent


def test_a_call_that_the_upstream_grants_needs_no_proxy() -> None:
    found, [sent] = held(PageCall(PAGE, "/v1?x=1"), head(ANYONE, (b"Set-Cookie", b"secret")))
    assert found.allowed
    assert found.url == "http://api.test:9000/v1?x=1"
    assert found.summary.endswith("this call works without the proxy.")
    assert (sent.method, sent.target) == ("GET", b"/v1?x=1")
    assert values(sent.fields, b"Origin") == [PAGE.encode()]
    assert "secret" not in found.text()


def test_a_call_without_a_grant_is_blocked() -> None:
    found, _ = held(PageCall(PAGE, "/"), head())
    assert found.allowed is False
    assert found.summary == (
        "The browser alone would have kept the answer from the script: it has no"
        " Access-Control-Allow-Origin (MissingAllowOriginHeader)."
    )
    assert "✗ GET: answered 200 without a grant\n" in found.text()
    assert found.to_json()["browser_error"] == "MissingAllowOriginHeader"


def test_the_call_follows_its_preflight() -> None:
    call = PageCall(PAGE, "/", "PUT", ("X-A",))
    answer = head(ANYONE, METHODS, (b"Access-Control-Allow-Headers", b"x-a"), status=204)
    found, sent = held(call, answer, head(ANYONE), unsafe=True)
    assert found.allowed
    assert [request.method for request in sent] == ["OPTIONS", "PUT"]
    assert values(sent[0].fields, b"Access-Control-Request-Method") == [b"PUT"]
    assert values(sent[0].fields, b"Access-Control-Request-Headers") == [b"x-a"]
    # Their values are not known here.
    assert values(sent[1].fields, b"X-A") == []
    assert values(sent[1].fields, b"Content-Length") == [b"0"]
    assert [each.what for each in found.asked] == ["preflight", "PUT"]


def test_a_preflight_that_fails_is_the_end() -> None:
    found, sent = held(PageCall(PAGE, "/", "PATCH"), head(ANYONE, METHODS), unsafe=True)
    assert len(sent) == 1
    assert found.allowed is False
    assert found.summary.startswith("The browser alone would not have sent the PATCH, because of")


def test_what_only_reads_is_asked_all_the_same_because_the_proxy_would_send_it() -> None:
    call = PageCall(PAGE, "/", "GET", ("X-A",))
    found, sent = held(call, head(status=405), head(status=302))
    assert [request.method for request in sent] == ["OPTIONS", "GET"]
    assert found.allowed is False
    assert found.obstacle == found.asked[0].obstacle
    assert "would not have sent the GET, because of the preflight's answer" in found.summary
    assert "✗ preflight: answered 405 without a grant\n" in found.text()
    assert [each.status for each in found.asked] == [405, 302]
    unreachable = UpstreamError(UpstreamFault.DNS, "api.test has no address")
    assert held(call, head(), unreachable)[0].summary == held(call, head(), head())[0].summary


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_unsafe_methods_are_sent_only_on_request(method: str) -> None:
    call = PageCall(PAGE, "/", method)
    answers = [head(ANYONE, METHODS)] if method == "DELETE" else []
    found, sent = held(call, *answers)
    assert found.allowed is None
    assert "--unsafe" in found.summary
    assert method not in [request.method for request in sent]


def test_an_answer_that_cannot_be_had_leaves_it_open() -> None:
    error = UpstreamError(UpstreamFault.DNS, "api.test has no address")
    found, _ = held(PageCall(PAGE, "/"), error)
    assert (found.allowed, found.asked) == (None, ())
    assert found.summary == "The upstream could not be asked: api.test has no address."


def test_a_redirect_leaves_it_open() -> None:
    found, _ = held(PageCall(PAGE, "/"), head(ANYONE, status=302))
    assert found.allowed is None
    assert "redirects" in found.summary


@pytest.mark.parametrize(
    ("under", "target", "summary"),
    [
        (policy(route(b"/a")), "/b", "No route takes the path"),
        (
            policy(route(upstream=UpstreamAddress("http", "", 0, socket_path="/run/x.sock"))),
            "/",
            "No browser reaches an upstream on a Unix socket.",
        ),
    ],
)
def test_nothing_is_sent_where_there_is_nothing_to_ask(
    under: Policy, target: str, summary: str
) -> None:
    found, sent = held(PageCall(PAGE, target), under=under)
    assert sent == []
    assert found.summary.startswith(summary)
    assert found.to_json()["url"] is None


def test_a_page_of_the_upstreams_own_needs_no_grant() -> None:
    found, sent = held(PageCall("http://api.test:9000", "/"))
    assert (found.allowed, sent) == (True, [])


@pytest.mark.parametrize(
    ("origin", "status", "under", "note"),
    [
        ("https://app.test", 200, policy(), "mixed content"),
        (PAGE, 401, policy(), "with them, its response may differ"),
        (PAGE, 200, policy(replace(route(), tls=Tls(verify=False))), "`tls` settings"),
    ],
)
def test_what_else_there_is_to_know(origin: str, status: int, under: Policy, note: str) -> None:
    found, _ = held(PageCall(origin, "/"), head(ANYONE, status=status), under=under)
    assert any(note in each for each in found.notes)
    assert note in found.text()


def test_an_ordinary_answer_has_no_notes() -> None:
    assert held(PageCall(PAGE, "/"), head(ANYONE))[0].notes == ()


@pytest.mark.parametrize(
    ("origin", "answer", "note"),
    [
        ("keep", head(), "through the proxy: the page is refused there too"),
        ("keep", head(ANYONE), "through the proxy: it lets it through too"),
        ("rewrite", head(ANYONE), "the response may differ"),
    ],
)
def test_where_the_upstream_decides_its_answer_counts_through_the_proxy(
    origin: Literal["keep", "rewrite"], answer: ResponseHead, note: str
) -> None:
    under = policy(replace(route(), cors="passthrough", origin=origin))
    found, _ = held(PageCall(PAGE, "/"), answer, under=under)
    assert note in found.notes[0]
    redirect, _ = held(PageCall(PAGE, "/"), head(ANYONE, status=302), under=under)
    assert redirect.notes == ()
