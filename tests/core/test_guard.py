"""The guard's grammars; what each refusal becomes is tested with the exchange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.guard import check_target, diagnose, parse_host
from corsproxy.core.policy import Limits
from corsproxy.core.routing import parse_target
from corsproxy.core.verdicts import Code


@pytest.mark.parametrize(
    ("value", "name", "port", "always"),
    [
        (b"localhost", "localhost", None, True),
        (b"A.LocalHost:80", "a.localhost", 80, True),
        (b"127.0.0.1:", "127.0.0.1", None, True),
        (b"[::1]:8010", "[::1]", 8010, True),
        (b"shop.test", "shop.test", None, False),
        (b"my_app", "my_app", None, False),
        (b"127.1", "127.1", None, False),
        (b"notlocalhost", "notlocalhost", None, False),
        (b"0.0.0.0", "0.0.0.0", None, False),
        (b"[::]", "[::]", None, False),
        (b"[::ffff:0.0.0.0]", "[::ffff:0.0.0.0]", None, False),
    ],
)
def test_host_is_taken_apart(value: bytes, name: str, port: int | None, always: bool) -> None:
    host = parse_host(value)
    assert host is not None
    assert (host.name, host.port, host.always_allowed) == (name, port, always)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":80",
        b"a" * 256,
        b"a." * 125 + b"localhost",
        b"a b",
        b"a/b",
        b"u@h",
        b"h:99999",
        b"h:1:2",
        b"[1]",
        b"[::1",
        b"h\x00",
        b"\xff",
    ],
)
def test_malformed_hosts(value: bytes) -> None:
    assert parse_host(value) is None


@pytest.mark.parametrize(
    "target",
    [
        b"/.well-known/x",
        b"/a/...",
        b"/a..b",
        b"/.a/b",
        b"/a/..b",
        b"/%252e%252e.b/",
        b"/..%2541/",
        b"/a?/../b",
        b"/a/%2Fb",
        b"//",
        b"/a;b=c",
    ],
)
def test_targets_without_dot_segments_pass(target: bytes) -> None:
    assert check_target(parse_target(target), target, [b"h"]) is None


@pytest.mark.parametrize(
    "segment",
    [
        b".", b"..", b"%2e", b".%2E", b"%2e%2e", b"..;x", b"..%5c", b"..\\a", b"..%2Fa",
        b"%252e%252E", b"%25252e.", b"a%252f..", b"..%253bx", b"..%00", b"..%20x", b"..%0a",
        b"..%23", b"..%3F",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", [b"/%s", b"/a/%s", b"/a/%s/b", b"/a/%s?q"])
def test_targets_with_dot_segments_do_not(segment: bytes, around: bytes) -> None:
    target = around % segment
    refusal = check_target(parse_target(target), target, [b"h"])
    assert refusal is not None
    assert refusal.code is Code.BAD_TARGET


@given(st.binary(max_size=200))
def test_no_input_raises(value: bytes) -> None:
    parse_host(value)
    check_target(parse_target(value), value, [value])
    diagnose(Limits(), value)


def test_diagnosis_quotes_nothing_but_a_method() -> None:
    secret = b"GET / HTTP/1.1\r\nAuthorization : Bearer SECRET\r\n\r\n"
    assert "SECRET" not in diagnose(Limits(), secret).detail


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (b"x", "is not a path"),
        (b"?x", "is not a path"),
        (b"@a.test/x", "is not a path"),
        (b"\\x", "is not a path"),
        (b"a.test:80", "is not a path"),
        (b"http://a#x", "has a fragment"),
        (b"/\xe9", "has bytes that are not ASCII"),
        (b"/\x7f", "has a control character"),
    ],
)
def test_a_target_that_no_parser_takes_is_diagnosed(target: bytes, what: str) -> None:
    refusal = diagnose(Limits(), b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert (refusal.code, refusal.detail) == (Code.BAD_TARGET, f"The request target {what}.")


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        (b"GET / HTTP/1.1\r\nA: b\r\n\r\n", "The request has no Host field."),
        (b"GET / HTTP/1.1\r\n\r\n", "The request has no Host field."),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
            "The request has more than one Host field.",
        ),
        # It may have come in what was not read.
        (b"GET / HTTP/1.1\r\nA b\r\n", "A header field of the request is not valid HTTP/1.1."),
        (
            b"GET / HTTP/1.0\r\nA b\r\n\r\n",
            "A header field of the request is not valid HTTP/1.1.",
        ),
    ],
)
def test_a_missing_or_repeated_host_is_diagnosed(received: bytes, detail: str) -> None:
    assert diagnose(Limits(), received).detail == detail
