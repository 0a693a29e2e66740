"""The grammar takes what it names and refuses the rest, without ever guessing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins.grammar import read_pattern
from corsproxy.core.origins.origin import parse_origin


@pytest.mark.parametrize(
    "text",
    [
        "https://*.example.com.",
        "https://*..example.com",
        "https://*.example.com:443",
        "https://*.example.com:0",
        "https://*.example.com:65536",
        "https://*.example.com:**",
        "https://*.1.2.3.4",
        "https://*.[::1]",
        "http://1.2.3:*",
        "http://[::0001]:*",
        "https://*example.com",
        "https://*-app.com",
        "https://*-app.co.uk",
        f"https://{'a' * 63}*.example.com",
        f"https://*.{'a.' * 130}com",
        "https://a.*.example.com",
        "https://*a*.example.com",
        "http*://example.com",
        "chrome-extension://*",
        "capacitor://localhost:*",
        "file:///",
        "https://例え.jp",
        "https://*.example.com\n",
    ],
)
def test_entries_outside_the_grammar_are_refused(text: str) -> None:
    assert read_pattern(text) is None


@pytest.mark.parametrize("text", ["https://*-app.test", "https://app-*.localhost"])
def test_patterns_for_one_label_are_allowed_under_private_names(text: str) -> None:
    assert read_pattern(text) is not None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    pattern = read_pattern(text)
    assert pattern is None or pattern.text == text


LABELS = st.sampled_from(
    ["a", "-", "_x", "7", "0x1f", "08", "xn--p1ai", "a" * 63, "a" * 64, "A", ""]
)


@given(st.sampled_from(["http", "https", "ftp"]), st.lists(LABELS, min_size=1, max_size=6))
def test_an_exact_entry_is_what_browsers_send(scheme: str, labels: list[str]) -> None:
    """The short way that plain entries take leads to where the parser of origins does."""
    text = f"{scheme}://{'.'.join(labels)}"
    pattern, origin = read_pattern(text), parse_origin(text.encode())
    assert (pattern is None) == (origin is None)
    if pattern is not None:
        assert pattern.is_exact
        assert (pattern.scheme, pattern.host, pattern.port) == origin
