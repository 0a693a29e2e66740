"""A correction is a guess that the grammar accepts, or there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins.grammar import read_pattern
from corsproxy.core.origins.repair import Parts, looks_like_regex, repair, take_apart


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://a.com", Parts("https", True, None, "a.com", None, "")),
        ("https://u:p@a.com:1/x", Parts("https", True, "u:p", "a.com", "1", "/x")),
        ("https://@a.com?q", Parts("https", True, "", "a.com", None, "?q")),
        ("https:/a.com", Parts("https", False, None, "a.com", None, "")),
        ("http:///a.com", Parts("http", False, None, "a.com", None, "")),
        ("//a.com", Parts(None, False, None, "a.com", None, "")),
        ("a.com:1", Parts(None, False, None, "a.com", "1", "")),
        ("http://[::1]:1", Parts("http", True, None, "[::1]", "1", "")),
        ("http://::1", Parts("http", True, None, "::1", None, "")),
        ("", Parts(None, False, None, "", None, "")),
    ],
)
def test_an_entry_is_taken_apart_as_written(text: str, parts: Parts) -> None:
    assert take_apart(text) == parts


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("  'HTTPS://User@EXAMPLE.com.:0443/path?q#f' ", "https://example.com"),
        ("<https://a..b.com>", "https://a.b.com"),
        ("file:///x", None),
        ("FILE://", "file://"),
        ("WS://Localhost:3000/socket", "http://localhost:3000"),
        ("https://example.com", "https://example.com"),
        ("https://", None),
        ("all", None),
        ("what is this", None),
        ("https://a.com:99999", None),
    ],
)
def test_several_mistakes_are_repaired_at_once(text: str, repaired: str | None) -> None:
    assert repair(text) == repaired


def test_a_repair_never_widens_to_where_strangers_get_names() -> None:
    assert repair("https://me.*.github.io") is None
    assert repair("https://me.*.example.com") == "https://*.example.com"


@pytest.mark.parametrize("text", ["http://[::1]:*", "web+app://x", "https://foo.*.example.com"])
def test_an_origin_does_not_look_like_a_regular_expression(text: str) -> None:
    assert not looks_like_regex(text)


@given(st.text())
def test_every_repair_is_an_entry(text: str) -> None:
    repaired = repair(text)
    assert repaired is None or read_pattern(repaired) is not None
