"""Origins that look like an allowed one."""

import re

import pytest

from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.origins.look_alikes import look_alikes, sample

ENTRIES = [
    "https://app.example.com",
    "https://app.example.com:8443",
    "https://*.example.com",
    "https://pr-*.example.com",
    "http://localhost:*",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
    "chrome-extension://abcdefgh",
    "null",
]


def entries(*texts: str) -> OriginSet:
    return OriginSet(map(parse_origin_pattern, texts))


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_refuses_its_look_alikes_and_allows_its_sample(entry: str) -> None:
    origins = entries(entry)
    for each in look_alikes(origins):
        assert origins.match(each.origin.encode()) is None, each
    assert origins.match(sample(origins.patterns[0]).encode()) is not None


def test_an_exact_entry_has_one_of_each_kind() -> None:
    found = {each.kind: each.origin for each in look_alikes(entries("https://app.example.com"))}
    assert found == {
        "suffix": "https://app.example.com.evil.example",
        "prefix": "https://evil-app.example.com",
        "dot": "https://appxexample.com",
        "case": "https://APP.EXAMPLE.COM",
        "scheme": "http://app.example.com",
        "port": "https://app.example.com:8444",
        "trailing-dot": "https://app.example.com.",
        "null": "null",
    }


def test_what_another_entry_allows_on_purpose_is_none() -> None:
    kinds = [each.kind for each in look_alikes(entries("https://a.b.test", "http://a.b.test"))]
    assert "scheme" not in kinds
    assert not any(each.kind == "null" for each in look_alikes(entries(ENTRIES[0], "null")))


def test_where_everything_is_allowed_there_are_none() -> None:
    assert list(look_alikes(entries("*"))) == []


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        (r"https://app.example.com", {"dot"}),
        (r"https://app\.example\.com(?::\d+)?(?:$|\.)", {"suffix", "port", "trailing-dot"}),
        (r".*app\.example\.com", {"prefix"}),
        (r"(?i)https?://app\.example\.com$", {"case", "scheme"}),
        (r"null|https://app\.example\.com$", {"null"}),
    ],
)
def test_careless_expressions_are_found_out(pattern: str, kinds: set[str]) -> None:
    """The mistakes that people make with regular expressions, each by its look-alike."""
    careless = re.compile(pattern)
    let_in = {
        each.kind
        for each in look_alikes(entries("https://app.example.com"))
        if careless.match(each.origin)
    }
    assert kinds <= let_in
