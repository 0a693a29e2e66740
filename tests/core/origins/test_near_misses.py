"""A refused origin is told which entry it missed, and by what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import OriginSet, near_misses, parse_origin_pattern
from tests.core.origins.strategies import near_origins


def misses(value: bytes, *entries: str) -> list[tuple[str, str]]:
    origins = OriginSet([parse_origin_pattern(entry) for entry in entries])
    return [(miss.pattern.text, miss.difference) for miss in near_misses(value, origins)]


@pytest.mark.parametrize(
    ("value", "entry", "difference"),
    [
        (b"http://localhost:3000", "http://localhost:5173", "port"),
        (b"http://localhost", "http://localhost:5173", "port"),
        (b"https://a.example.com:8443", "https://*.example.com", "port"),
        (b"https://pr-1.example.com:8443", "https://pr-*.example.com", "port"),
        (b"http://example.com", "https://example.com", "scheme"),
        (b"https://localhost:3000", "http://localhost:*", "scheme"),
        (b"http://a.example.com", "https://*.example.com", "scheme"),
        (b"http://127.0.0.1:3000", "http://localhost:3000", "localhost-name"),
        (b"http://localhost:3000", "http://127.0.0.1:*", "localhost-name"),
        (b"http://[::1]:3000", "http://localhost:3000", "localhost-name"),
        (b"https://www.example.com", "https://example.com", "www"),
        (b"https://example.com", "https://www.example.com", "www"),
        (b"https://example.com", "https://*.example.com:8443", "apex"),
        (b"https://a.b.example.com", "https://example.com", "subdomain"),
        (b"https://exmaple.com", "https://example.com", "host-typo"),
        (b"https://exampel.com", "https://example.com", "host-typo"),
        (b"https://example.co", "https://example.com", "host-typo"),
        (b"http://localhots:3000", "http://localhost:*", "host-typo"),
        (b"https://example.com/", "https://example.com", "trailing-slash"),
        (b"https://a.example.com/", "https://*.example.com", "trailing-slash"),
        (b"https://Example.com", "https://example.com", "case"),
        (b"HTTPS://EXAMPLE.COM/", "https://example.com", "case"),
        (b"NULL", "null", "case"),
    ],
)
def test_one_difference_is_named(value: bytes, entry: str, difference: str) -> None:
    assert misses(value, "https://unrelated.test", entry) == [(entry, difference)]


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        (b"null", "https://example.com"),
        (b"", "https://example.com"),
        (b"https://evil.com", "https://example.com"),
        (b"https://example.com.evil.com", "https://example.com"),
        (b"https://example.org:1", "https://example.com"),
        (b"https://a.b", "https://a.c"),
        (b"https://pr-.example.com:1", "https://pr-*.example.com"),
        (b"https://pr-a_b.example.com:1", "https://pr-*.example.com"),
        (b"\xff\x00", "https://example.com"),
        (b"x" * 100_000, "https://example.com"),
        (b"https://example.com", "https://example.com"),
        (b"https://evil.com", "*"),
    ],
)
def test_what_is_not_near_is_not_named(value: bytes, entry: str) -> None:
    assert misses(value, entry) == []


def test_at_most_three_are_named_the_likeliest_first_then_in_file_order() -> None:
    assert misses(
        b"http://localhost:3000",
        "http://127.0.0.1:3000",
        "https://localhost:3000",
        "http://localhost:5173",
        "http://localhost:5174",
    ) == [
        ("http://localhost:5173", "port"),
        ("http://localhost:5174", "port"),
        ("https://localhost:3000", "scheme"),
    ]


def test_an_entry_is_named_once() -> None:
    assert misses(b"https://example.com", "https://*.example.com") == [
        ("https://*.example.com", "www")
    ]


@pytest.mark.parametrize(
    ("value", "entry", "sentence"),
    [
        (
            b"http://localhost:3000",
            "http://localhost:5173",
            "http://localhost:5173 has the same host, but the request came from port 3000.",
        ),
        (
            b"https://example.com",
            "https://example.com:8443",
            (
                "https://example.com:8443 has the same host, "
                "but the request came from the default port."
            ),
        ),
        (
            b"https://example.com",
            "https://*.example.com:8443",
            (
                "https://*.example.com:8443 allows the subdomains of example.com, but not "
                "example.com itself."
            ),
        ),
    ],
)
def test_the_difference_is_described_in_a_sentence(value: bytes, entry: str, sentence: str) -> None:
    [miss] = near_misses(value, OriginSet([parse_origin_pattern(entry)]))
    assert miss.sentence == sentence


@given(st.binary() | near_origins())
def test_no_bytes_raise_and_no_sentence_repeats_them(value: bytes) -> None:
    entries = ("https://example.com", "http://localhost:*", "https://*.a.example.com", "null")
    origins = OriginSet([parse_origin_pattern(entry) for entry in entries])
    for miss in near_misses(value, origins):
        assert miss.pattern in origins.patterns
        assert miss.sentence.isascii()
        assert miss.sentence.isprintable()
