"""Whether an entry allows all that another one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import OriginPattern, OriginSet, parse_origin_pattern
from corsproxy.core.origins.coverage import covered_until, widest

ENTRIES = (
    "http://localhost:*",
    "http://localhost:5173",
    "https://*.a.test",
    "https://*.a.test:*",
    "https://x.a.test",
    "https://*.x.a.test",
    "https://p-*.a.test",
    "https://p-q*.a.test",
    "https://p_*.a.test",
    "https://*-q.a.test",
    "https://p-7.a.test:444",
    "http://*.a.test",
    "null",
    "chrome-extension://abc",
)
PAGES = (
    *(f"http://localhost{port}" for port in ("", ":5173", ":1")),
    *(f"https://{host}.a.test" for host in ("x", "y.x", "p-7", "p-q7", "p-x-q", "p_7", "x-q")),
    *(f"https://{host}.a.test:444" for host in ("x", "p-7")),
    "https://a.test",
    "http://x.a.test",
    "null",
    "chrome-extension://abc",
)


def covers(origins: OriginSet, pattern: OriginPattern) -> bool:
    return covered_until(origins, pattern) is not None


def entries(*texts: str) -> OriginSet:
    return OriginSet(map(parse_origin_pattern, texts))


@given(st.lists(st.sampled_from(ENTRIES), unique=True, max_size=3), st.sampled_from(ENTRIES))
def test_what_is_covered_is_allowed(listed: list[str], entry: str) -> None:
    alone, origins = entries(entry), entries(*listed)
    if covers(origins, parse_origin_pattern(entry)):
        pages = [page.encode() for page in PAGES if alone.match(page.encode())]
        assert all(origins.match(page) for page in pages)


@pytest.mark.parametrize("wide", ENTRIES)
@pytest.mark.parametrize("narrow", ENTRIES)
def test_what_allows_all_the_samples_covers(wide: str, narrow: str) -> None:
    """Every pair is told apart by some page of the samples."""
    pages = [page.encode() for page in PAGES if entries(narrow).match(page.encode())]
    allowed = bool(pages) and all(entries(wide).match(page) for page in pages)
    assert covers(entries(wide), parse_origin_pattern(narrow)) == allowed


def test_everything_is_covered_by_the_star_alone() -> None:
    assert covers(entries("*"), parse_origin_pattern("null"))
    assert covers(entries("*"), parse_origin_pattern("*"))
    assert not covers(entries(*ENTRIES), parse_origin_pattern("*"))


@given(st.lists(st.sampled_from((*ENTRIES, "*")), max_size=6))
def test_the_widest_entries_are_those_that_no_other_covers(listed: list[str]) -> None:
    others = {text: entries(*(each for each in listed if each != text)) for text in listed}
    assert [pattern.text for pattern in widest(entries(*listed))] == [
        text for text in listed if not covers(others[text], parse_origin_pattern(text))
    ]
