"""What an entry with an end or a reason was meant to be. More cases are in broken/origins.txt."""

import pytest

from corsproxy.config.terms import entry_in, entry_of_pair, in_braces, likely_origin


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("http://a.test", "http://a.test"),
        ("http://a.test/", "http://a.test"),
        ("a b", None),
    ],
)
def test_an_origin_is_itself_or_what_it_likely_means(text: str, likely: str | None) -> None:
    assert likely_origin(text) == likely


@pytest.mark.parametrize(
    ("terms", "entry"),
    [
        ("until: 2099-01-31", "{origin: http://a.test, until: 2099-01-31}"),
        ("until 2099-01-31", "{origin: http://a.test, until: 2099-01-31}"),
        ("until: '2099-01-31'", "{origin: http://a.test, until: 2099-01-31}"),
        (
            "until: 2099-01-31, reason: x, y",
            '{origin: http://a.test, until: 2099-01-31, reason: "x, y"}',
        ),
        ("until: 2099-02-30", None),
        ("until: 2099-01-31 until: 2099-01-31", None),
        ("until:", None),
        ("since: 2099-01-31", None),
    ],
)
def test_terms_are_written_in_braces(terms: str, entry: str | None) -> None:
    assert in_braces("http://a.test", terms) == entry


def test_what_would_be_refused_is_not_proposed() -> None:
    assert in_braces("a b", "until: 2099-01-31") is None
    assert entry_in("http://a.test until soon") is None
    assert entry_in("until 2099-01-31") is None


@pytest.mark.parametrize("value", [None, "", "x", "2099-02-30"])
def test_the_origin_stays_where_its_value_is_no_date(value: str | None) -> None:
    assert entry_of_pair("https://*.a.test", value) == "https://*.a.test"
