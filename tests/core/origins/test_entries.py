"""An entry of the allowlist is taken as it is, or refused with a reason and a correction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import (
    LOOPBACK_ORIGINS,
    OriginPattern,
    OriginPatternError,
    PatternKind,
    parse_origin_pattern,
)
from corsproxy.core.source import Source
from tests.core.origins.strategies import near_origins


def pattern(text: str, kind: PatternKind, *parts: object, **fields: object) -> OriginPattern:
    return OriginPattern(text, Source("f", 1, 2), kind, *parts, **fields)  # type: ignore[arg-type]  # a table's row


@pytest.mark.parametrize(
    "expected",
    [
        pattern("*", PatternKind.ANY),
        pattern("null", PatternKind.NULL),
        pattern("https://example.com", PatternKind.EXACT, "https", "example.com"),
        pattern("http://localhost:3000", PatternKind.EXACT, "http", "localhost", 3000),
        pattern("http://[::1]:808", PatternKind.EXACT, "http", "[::1]", 808),
        pattern("file://", PatternKind.EXACT, "file"),
        pattern("chrome-extension://abc", PatternKind.EXACT, "chrome-extension", "abc"),
        pattern("http://localhost:*", PatternKind.ANY_PORT, "http", "localhost", any_port=True),
        pattern("http://[::1]:*", PatternKind.ANY_PORT, "http", "[::1]", any_port=True),
        pattern("https://*.example.com", PatternKind.SUBDOMAINS, "https", "example.com"),
        pattern("https://*.a.test:8443", PatternKind.SUBDOMAINS, "https", "a.test", 8443),
        pattern("https://*.a.test:*", PatternKind.SUBDOMAINS, "https", "a.test", any_port=True),
        pattern("https://pr-*.a.test", PatternKind.LABEL, "https", "a.test", prefix="pr-"),
        pattern("https://*-app.a.test", PatternKind.LABEL, "https", "a.test", suffix="-app"),
        pattern("https://*app.a.test", PatternKind.LABEL, "https", "a.test", suffix="app"),
        pattern(
            "http://x*y.localhost:*",
            PatternKind.LABEL, "http", "localhost", any_port=True, prefix="x", suffix="y",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_is_read_as_written(expected: OriginPattern) -> None:
    assert parse_origin_pattern(expected.text, Source("f", 1, 2)) == expected


def test_an_invisible_character_is_named_with_its_place() -> None:
    with pytest.raises(OriginPatternError) as caught:
        parse_origin_pattern("http://a.com\u200b")
    assert caught.value.message == "character 13 of the entry is invisible (U+200B): remove it"


LONGEST_PARENT = f"{'a.' * 124}abc"
"""With a name of one character before it, as long as a host can be."""

REFUSED = [
    ("", "empty", None),
    ("  ", "empty", None),
    ("x" * 513, "too-long", None),
    (f"https://{'a' * 64}.com", "too-long", None),
    (f"https://{'a' * 40}*{'b' * 40}.example.com", "too-long", None),
    (f"https://*.{LONGEST_PARENT}b", "too-long", None),
    (f"https://*.{LONGEST_PARENT}b:*", "too-long", None),
    (f"https://pr-*.{LONGEST_PARENT[2:]}", "too-long", None),
    ("http://a.com\u200b", "invisible-character", "http://a.com"),
    ("http://a\u2060.com:3000", "invisible-character", "http://a.com:3000"),
    ("\ufeffhttp://a.com", "invisible-character", "http://a.com"),
    ("http://a\ufe0f.com", "invisible-character", "http://a.com"),
    ("http://a\u00ad.com", "invisible-character", "http://a.com"),
    ("http://a\u200d.com", "invisible-character", "http://a.com"),
    ("http://\u202ea.com", "invisible-character", "http://a.com"),
    ("http://b\u00fccher\u200b.example", "invisible-character", "http://xn--bcher-kva.example"),
    ("https://a.com, https://b.com", "several-origins", None),
    ("https://a.com https://b.com", "several-origins", None),
    ("https://a.comhttps://b.com", "several-origins", None),
    ("https://a.com|https://b.com", "several-origins", None),
    (" https://a.com", "whitespace", "https://a.com"),
    ("https://a.com\n", "whitespace", "https://a.com"),
    ("https://a. com", "whitespace", "https://a.com"),
    ("https://a.com\x00", "whitespace", "https://a.com"),
    ("https://a.com,", "punctuation", "https://a.com"),
    ('"https://a.com"', "punctuation", "https://a.com"),
    ("\u201chttps://a.com\u201d", "typographic-quotes", "https://a.com"),
    ("\u2018https://a.com\u2019", "typographic-quotes", "https://a.com"),
    ("\u201ehttps://a.com/\u201c,", "typographic-quotes", "https://a.com"),
    ("\u00abhttps://a.com\u00bb", "typographic-quotes", "https://a.com"),
    ("Null", "upper-case", "null"),
    ("^https://.*\\.example\\.com$", "regex", "https://*.example.com"),
    ("https://.*\\.example\\.com", "regex", "https://*.example.com"),
    ("/^https:\\/\\/(.*\\.)?example\\.com$/", "regex", "https://*.example.com"),
    ("https?://example.com", "regex", "https://example.com"),
    ("https://[a-z]+.example.com", "regex", "https://*.example.com"),
    ("https://.+.example.com", "regex", "https://*.example.com"),
    ("https://app[0-9]+.example.com", "regex", "https://app*.example.com"),
    ("https://pr-[A-Za-z0-9_]*.example.com", "regex", "https://pr-*.example.com"),
    ("https://app[12].example.com", "regex", None),
    ("http://localhost:\\d+", "regex", "http://localhost:*"),
    ("https://(a|b).example.com", "regex", None),
    ("localhost:3000", "missing-scheme", "http://localhost:3000"),
    ("127.0.0.1:3000", "missing-scheme", "http://127.0.0.1:3000"),
    ("[::1]:3000", "missing-scheme", "http://[::1]:3000"),
    ("::1", "missing-scheme", "http://[::1]"),
    ("localhost:*", "missing-scheme", "http://localhost:*"),
    ("example.com", "missing-scheme", "https://example.com"),
    ("//example.com", "missing-scheme", "https://example.com"),
    ("://example.com", "missing-scheme", "https://example.com"),
    ("*.example.com", "missing-scheme", "https://*.example.com"),
    ("all", "missing-scheme", None),
    ("3000", "missing-scheme", "http://localhost:3000"),
    (":3000", "missing-scheme", "http://localhost:3000"),
    ("https:/example.com", "scheme-separator", "https://example.com"),
    ("https:example.com", "scheme-separator", "https://example.com"),
    ("https//example.com", "scheme-separator", "https://example.com"),
    ("https:///example.com", "scheme-separator", "https://example.com"),
    ("*://example.com", "scheme-wildcard", "https://example.com"),
    ("http*://example.com", "scheme-wildcard", None),
    ("1x://example.com", "scheme", None),
    ("ws://localhost:3000", "websocket-scheme", "http://localhost:3000"),
    ("wss://example.com", "websocket-scheme", "https://example.com"),
    ("file:///home/me/page.html", "file-path", None),
    ("FILE://", "upper-case", "file://"),
    ("HTTPS://example.com", "upper-case", "https://example.com"),
    ("https://Example.com", "upper-case", "https://example.com"),
    ("https://*.Example.com", "upper-case", "https://*.example.com"),
    ("https://example.com/", "trailing-slash", "https://example.com"),
    ("https://*.example.com/", "trailing-slash", "https://*.example.com"),
    ("http://localhost:*/", "trailing-slash", "http://localhost:*"),
    ("chrome-extension://abc/", "trailing-slash", "chrome-extension://abc"),
    ("https://example.com/api/", "path", "https://example.com"),
    ("https://example.com//", "path", "https://example.com"),
    ("https://example.com?x=1", "query", "https://example.com"),
    ("https://example.com#top", "fragment", "https://example.com"),
    ("https://me:secret@example.com", "userinfo", "https://example.com"),
    ("https://EXAMPLE.com:443/", "trailing-slash", "https://example.com"),
    ("https://", "missing-host", None),
    ("https://:3000", "missing-host", None),
    ("chrome-extension://*", "exact-scheme", None),
    ("capacitor://localhost:*", "exact-scheme", None),
    ("https://example.com:443", "default-port", "https://example.com"),
    ("http://*.example.com:80", "default-port", "http://*.example.com"),
    ("http://[::1]:80", "default-port", "http://[::1]"),
    ("https://example.com:", "port", "https://example.com"),
    ("https://example.com:0", "port", None),
    ("https://example.com:08443", "port", "https://example.com:8443"),
    ("https://example.com:65536", "port", None),
    ("https://example.com:30*", "port", None),
    ("https://example.com:http", "port", None),
    ("https://example.com:²", "port", None),
    ("https://*", "too-wide", None),
    ("https://*:*", "too-wide", None),
    ("https://*.", "too-wide", None),
    ("https://pr-*.com", "too-wide", None),
    ("https://*-pr.com", "too-wide", None),
    ("https://pr-*.co.uk", "too-wide", None),
    ("https://*example.com", "ambiguous-wildcard", "https://*.example.com"),
    ("https://*myapp.test", "ambiguous-wildcard", "https://*.myapp.test"),
    ("https://foo.*.example.com", "wildcard-place", "https://*.example.com"),
    ("https://**.example.com", "wildcard-place", "https://*.example.com"),
    ("https://*.*.example.com", "wildcard-place", "https://*.example.com"),
    ("https://foo.*.vercel.app", "wildcard-place", None),
    ("https://foo.*.com", "wildcard-place", None),
    ("https://example.*", "wildcard-place", None),
    ("https://*.1.2.3.4", "address-wildcard", None),
    ("https://*.[::1]", "address-wildcard", None),
    ("https://résumé.com", "unicode-host", "https://xn--rsum-bpad.com"),
    ("https://straße.de:8443", "unicode-host", "https://xn--strae-oqa.de:8443"),
    ("https://例え。テスト", "unicode-host", "https://xn--r8jz45g.xn--zckzah"),
    ("https://*.Bücher.de", "unicode-host", "https://*.xn--bcher-kva.de"),
    ("http://xn--f", "punycode", None),
    ("http://xn--f:8080", "punycode", None),
    ("https://www.xn--.example", "punycode", None),
    ("https://*.xn--abc-.example", "punycode", None),
    ("https://pr-*.xn--wca.example", "punycode", None),
    ("http://xn--f:*", "punycode", None),
    ("https://example.com.", "trailing-dot", "https://example.com"),
    ("https://a..example.com", "empty-label", "https://a.example.com"),
    ("https://.example.com", "empty-label", "https://*.example.com"),
    (".example.com", "missing-scheme", "https://*.example.com"),
    (".localhost:3000", "missing-scheme", "http://*.localhost:3000"),
    (".co.uk", "missing-scheme", None),
    (".com", "missing-scheme", None),
    (".127.0.0.1", "missing-scheme", "http://127.0.0.1"),
    ("https://1.2.3", "ip-address", "https://1.2.0.3"),
    ("https://01.2.3.4", "ip-address", "https://1.2.3.4"),
    ("https://1.2.3.256", "ip-address", None),
    ("http://0x7f.1:3000", "ip-address", "http://127.0.0.1:3000"),
    ("http://[0:0:0:0:0:0:0:1]:3000", "ip-address", "http://[::1]:3000"),
    ("http://[::ffff:1.2.3.4]", "ip-address", "http://[::ffff:102:304]"),
    ("http://[fe80::1%25eth0]", "ip-address", "http://[fe80::1]"),
    ("http://::1", "ip-address", "http://[::1]"),
    ("http://[::1", "ip-address", "http://[::1]"),
    ("https://exa%6dple.com", "host", None),
    ("https://ex!ample.com", "host", None),
]


@pytest.mark.parametrize(("text", "reason", "suggestion"), REFUSED)
def test_an_entry_is_refused_with_a_reason_and_a_correction(
    text: str, reason: str, suggestion: str | None
) -> None:
    with pytest.raises(OriginPatternError) as refused:
        parse_origin_pattern(text)
    assert (refused.value.reason, refused.value.suggestion) == (reason, suggestion)
    assert refused.value.message
    assert str(refused.value) == refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        f"https://*.{LONGEST_PARENT}",
        f"https://*.{LONGEST_PARENT}:8443",
        f"https://x-*.{LONGEST_PARENT[2:]}",
        "https://xn--bcher-kva.example",
        "https://*.xn--strae-oqa.de:*",
        "http://xn--n3h:*",
        "https://xn--58d.example",
        "app://xn--f",
    ],
)
def test_entries_at_the_limits_are_entries(text: str) -> None:
    assert str(parse_origin_pattern(text)) == text


@pytest.mark.parametrize("text", LOOPBACK_ORIGINS)
def test_the_built_in_entries_are_entries(text: str) -> None:
    assert parse_origin_pattern(text).is_loopback


def read(text: str) -> OriginPattern | OriginPatternError:
    try:
        return parse_origin_pattern(text)
    except OriginPatternError as refused:
        return refused


@given(
    st.text(max_size=40)
    | st.text(alphabet="htps:/*.[]()\\^$+-?a0%@#é\ud800", max_size=30)
    | near_origins().map(lambda value: value.decode("latin-1"))
)
def test_every_text_is_an_entry_or_refused_with_an_entry_as_its_correction(text: str) -> None:
    result = read(text)
    if isinstance(result, OriginPatternError):
        assert result.message
        assert result.suggestion != text
        assert result.suggestion is None or isinstance(read(result.suggestion), OriginPattern)
    else:
        assert result.text == text
