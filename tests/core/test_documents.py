"""Pages of a route that is apart: by what the browser says it makes of the answer."""

import pytest

from corsproxy.core.decision import Forward, complete, decide
from corsproxy.core.documents import SANDBOX, is_sandboxed
from corsproxy.core.messages import ClientHead, Field
from tests.policies import policy, request, response, route, values

APART = route(documents="sandbox")


@pytest.mark.parametrize("dest", [b"document", b"iframe", b"frame", b"embed", b"object", b"IFRAME"])
def test_what_is_navigated_to_is_sandboxed(dest: bytes) -> None:
    navigation = request(fields=[(b"sec-fetch-dest", dest), (b"Accept", b"*/*")])
    assert is_sandboxed(APART, navigation)
    assert not is_sandboxed(route(), navigation)


@pytest.mark.parametrize("dest", [b"empty", b"image", b"script", b"worker", b""])
def test_what_is_fetched_is_not(dest: bytes) -> None:
    fields = [(b"Sec-Fetch-Dest", dest), (b"Accept", b"text/html")]
    assert not is_sandboxed(APART, request(fields=fields))


@pytest.mark.parametrize(
    ("fields", "sandboxed"),
    [
        ([(b"Accept", b"Text/HTML,*/*;q=0.8")], True),
        ([(b"Accept", b"*/*")], False),
        ([], False),
    ],
)
def test_without_fetch_metadata_accept_decides(fields: list[Field], sandboxed: bool) -> None:
    assert is_sandboxed(APART, request(fields=fields)) is sandboxed


@pytest.mark.parametrize("status", [200, 304, 404])
def test_the_sandbox_is_added_to_the_upstreams_policy(status: int) -> None:
    decision = decide(policy(APART), request(fields=[(b"Sec-Fetch-Dest", b"iframe")]))
    assert isinstance(decision, Forward)
    own = (b"Content-Security-Policy", b"default-src 'self'")
    head = complete(decision, response(status, [own, (b"Content-Length", b"0")]))
    assert isinstance(head, ClientHead)
    assert values(head.fields, b"content-security-policy") == [own[1], SANDBOX[1]]
