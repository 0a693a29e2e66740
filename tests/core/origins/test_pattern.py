"""What an entry tells about itself decides which warnings and refusals it gets."""

import pytest

from corsproxy.core.origins import parse_origin_pattern


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost",
        "http://localhost:*",
        "https://*.localhost",
        "http://app.localhost:3000",
        "http://app-*.localhost:*",
        "http://127.0.0.1:8080",
        "http://127.5.6.7",
        "http://[::1]:*",
        "capacitor://localhost",
    ],
)
def test_pages_of_this_machine_are_loopback_and_secure(text: str) -> None:
    pattern = parse_origin_pattern(text)
    assert pattern.is_loopback
    assert not pattern.is_insecure
    assert not pattern.over_public_suffix


@pytest.mark.parametrize(
    ("text", "insecure"),
    [
        ("http://example.com", True),
        ("http://*.example.com", True),
        ("http://192.168.1.5:3000", True),
        ("http://0.0.0.0:3000", True),
        ("http://localhost.example.com", True),
        ("http://127.0.0.1.example.com", True),
        ("https://example.com", False),
        ("chrome-extension://abc", False),
        ("null", False),
        ("*", False),
    ],
)
def test_plain_http_beyond_this_machine_is_insecure(text: str, insecure: bool) -> None:
    pattern = parse_origin_pattern(text)
    assert not pattern.is_loopback
    assert pattern.is_insecure is insecure


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("https://*.com", True),
        ("https://*.co.uk", True),
        ("https://*.github.io", True),
        ("https://*.vercel.app:*", True),
        ("https://*-app.vercel.app", True),
        ("https://*.unknown-top-level-domain", True),
        ("https://*.foo.vercel.app", False),
        ("https://*.example.com", False),
        ("https://pr-*.example.com", False),
        ("http://*.localhost:*", False),
        ("https://*.test", False),
        ("https://*.internal", False),
        ("https://vercel.app", False),
        ("*", False),
        ("null", False),
    ],
)
def test_a_wildcard_over_a_public_suffix_is_reported(text: str, over: bool) -> None:
    assert parse_origin_pattern(text).over_public_suffix is over


def test_an_entry_says_which_of_the_special_kinds_it_is() -> None:
    kinds = {
        text: (pattern.is_any, pattern.is_null, pattern.is_exact)
        for text in ("*", "null", "https://a.test", "https://*.a.test")
        for pattern in [parse_origin_pattern(text)]
    }
    assert kinds == {
        "*": (True, False, False),
        "null": (False, True, False),
        "https://a.test": (False, False, True),
        "https://*.a.test": (False, False, False),
    }
    assert str(parse_origin_pattern("https://*.a.test")) == "https://*.a.test"
