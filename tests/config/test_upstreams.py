"""Upstream URLs. Refused values are in broken/upstreams.txt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.upstreams import parse_upstream
from corsproxy.core.policy import UpstreamAddress


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("https://api.example.com", ("https", "api.example.com", 443, b""), "https://api.example.com"),
        ("https://api.example.com/", ("https", "api.example.com", 443, b""), "https://api.example.com"),
        ("HTTPS://API.Example.com:443", ("https", "api.example.com", 443, b""), "https://api.example.com"),
        ("http://localhost:3000", ("http", "localhost", 3000, b""), "http://localhost:3000"),
        ("http://my_api:80/v2/", ("http", "my_api", 80, b"/v2"), "http://my_api/v2/"),
        ("http://[::1]:3000", ("http", "::1", 3000, b""), "http://[::1]:3000"),
        ("http://10.0.0.1", ("http", "10.0.0.1", 80, b""), "http://10.0.0.1"),
        ("http://a.svc.cluster.local.:80", ("http", "a.svc.cluster.local.", 80, b""), "http://a.svc.cluster.local."),
        ("https://a/caf%C3%A9/x;y=1", ("https", "a", 443, b"/caf%C3%A9/x;y=1"), "https://a/caf%C3%A9/x;y=1"),
    ],
)  # fmt: skip
def test_urls_are_taken_apart(text: str, address: tuple[str, str, int, bytes], shown: str) -> None:
    found = parse_upstream(text)
    assert (found.scheme, found.host, found.port, found.base) == address
    assert str(found) == shown


def test_a_socket_has_no_host() -> None:
    assert parse_upstream("unix:/run/api.sock") == UpstreamAddress(
        "http", "", 0, b"", "/run/api.sock"
    )


def test_a_password_is_in_no_message() -> None:
    for text in (
        "https://me:hunter2@a",
        "ftp://me:hunter2@a",
        "me:hunter2@a",
        "https://me:hunter2@a b",
    ):
        with pytest.raises(BadValueError) as refused:
            parse_upstream(text)
        assert "hunter2" not in refused.value.message + refused.value.help


@given(
    st.text(st.sampled_from("htps:/.?#@[]%a1-_ \\*é"), max_size=30)
    | st.from_regex(
        r"(https?|ws|unix|ftp)?:?/{0,3}[a-z0-9.:\[\]*@-]{0,15}(/[a-z%.0-9]*){0,3}", fullmatch=True
    )
)
def test_every_text_is_an_upstream_or_refused_with_one(text: str) -> None:
    try:
        found = parse_upstream(text)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            parse_upstream(mistake.suggestion)
    else:
        assert parse_upstream(str(found)) == found


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("http://localhost:3000/api/**", "http://localhost:3000/api"),
        ("http://localhost:3000/api/*", "http://localhost:3000/api"),
        ("https://a.test/*", "https://a.test"),
        ("https://a.test/**/x", "https://a.test"),
        ("https://a.test/v1/:path*", "https://a.test/v1"),
        ("https://a.test/v1/:id/x", "https://a.test/v1"),
        ("https://a.test/{proxy+}", "https://a.test"),
        ("https://a.test/v1/(.*)", "https://a.test/v1"),
        ("https://a.test/v1/x*", "https://a.test/v1"),
        ("https://a.test/v1/$1", "https://a.test/v1"),
    ],
)
def test_a_pattern_is_refused_with_the_address(text: str, suggestion: str) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_upstream(text)
    assert refused.value.suggestion == suggestion
    assert "wildcard" in refused.value.help
