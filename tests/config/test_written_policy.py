"""The file of `init UPSTREAM` allows exactly what the command line allows."""

import random
from pathlib import Path

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.config.written_policy import written_policy
from corsproxy.core.decision import Forward, decide
from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.policy import Policy

ORIGINS = (
    "http://localhost:5173", "https://localhost", "http://127.0.0.1:1", "http://[::1]:80",
    "http://app.localhost:3000", "https://app.example.com", "https://x.app.example.com",
    "https://a.example.org", "https://evil.example", "null", "http://localhost.evil.example", "",
)  # fmt: skip
HEADERS = ("content-type", "authorization", "x-a", "x-stainless-os", "bad name", "cookie")
METHODS = ("GET", "HEAD", "POST", "PUT", "patch", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE")
LISTED = ("https://app.example.com", "https://*.example.org")
QUESTIONS = 20


def quick(draw: random.Random) -> Quick:
    return Quick(
        draw.choice(("3000", "api.example.com", "https://api.example.com/v2", "localhost:1/a$b")),
        tuple(draw.sample(LISTED, draw.randint(0, 2))),
        draw.random() < 0.3,
        None,
        draw.random() < 0.3,
        draw.choice((None, "rewrite", "keep", "remove")),
        tuple(draw.sample(("X-Key: a$b ${HOME} \"q\" \\ é", "Accept: x: y", "X-E:"), 2)),
    )  # fmt: skip


def question(draw: random.Random) -> RequestHead:
    fields: list[Field] = [(b"Host", b"localhost:8010")]
    origin = draw.choice(ORIGINS)
    if origin:
        fields.append((b"Origin", origin.encode()))
    if draw.random() < 0.5:
        fields.append((b"Access-Control-Request-Method", draw.choice(METHODS).encode()))
        names = draw.sample(HEADERS, draw.randint(0, 3))
        if names:
            fields.append((b"Access-Control-Request-Headers", ",".join(names).encode()))
    if draw.random() < 0.3:
        fields += ((b"Cookie", b"a=b"), (b"X-Forwarded-For", b"192.0.2.1"))
    target = draw.choice((b"/", b"/v1/users?a=b", b"/../x", b"*", b"//x"))
    return RequestHead(draw.choice((*METHODS, "OPTIONS")), target, fields, client="127.0.0.1")


def answered(policy: Policy, request: RequestHead) -> object:
    """What is decided, without the places that decide and the words about them."""
    decision = decide(policy, request)
    code = decision.verdict.code
    if isinstance(decision, Forward):
        sent, grant = decision.request, decision.grant
        assert grant is not None
        told = (sent.method, sent.target, sent.fields, decision.route.tls, grant.fields)
        return (code, decision.route.upstream, *told, grant.expose_all)
    worded = (b"corsproxy-reason", b"content-length")
    fields = [line for line in decision.head.fields if line[0].lower() not in worded]
    return (code, decision.head.status, fields)


def test_both_answer_alike() -> None:
    draw = random.Random(13)
    seen = set()
    for _ in range(100):
        asked = quick(draw)
        policy = quick_policy(asked)
        reading = read_policy(written_policy(asked, policy, "/"), "corsproxy.yaml", {}, "/")
        for _ in range(QUESTIONS):
            request = question(draw)
            mine, other = answered(policy, request), answered(reading.policy, request)
            assert mine == other, (asked, request.method, request.target, request.fields)
            seen.add(str(mine)[:40])
    assert len(seen) >= 9


@pytest.mark.parametrize("name", ["certs/ca.pem", "/elsewhere/ca.pem"])
def test_a_certificate_is_named_from_the_file(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    asked = Quick("https://api.example.com", ca_file=path)
    text = written_policy(asked, quick_policy(asked), str(tmp_path))
    policy = read_policy(text, "corsproxy.yaml", {}, str(tmp_path)).policy
    assert policy.routes[0].tls == quick_policy(asked).routes[0].tls
    assert f'ca_file: "{name}"' in text


def test_an_upstream_without_tls_has_none_in_the_file() -> None:
    asked = Quick("3000", insecure=True)
    text = written_policy(asked, quick_policy(asked), "/")
    assert "tls" not in text
    assert read_policy(text, "corsproxy.yaml", {}, "/").warnings == ()
