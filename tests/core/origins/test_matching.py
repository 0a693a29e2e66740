"""An origin is allowed by an entry that names it, and by nothing that looks like one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import (
    LOOPBACK_ORIGINS,
    Origin,
    OriginPattern,
    OriginSet,
    PatternKind,
    parse_origin,
    parse_origin_pattern,
)
from corsproxy.core.source import Source
from tests.core.origins.strategies import DOMAINS, PORTS, SCHEMES, near_origins, origins


def allowing(*entries: str) -> OriginSet:
    return OriginSet([parse_origin_pattern(entry) for entry in entries])


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("https://example.com", b"https://example.com"),
        ("http://localhost:3000", b"http://localhost:3000"),
        ("https://*.example.com", b"https://a.example.com"),
        ("https://*.example.com", b"https://a.b.c.example.com"),
        ("https://*.example.com", b"https://my_app.example.com"),
        ("https://*.example.com:8443", b"https://a.example.com:8443"),
        ("https://*.example.com:*", b"https://a.b.example.com:8443"),
        ("https://*.example.com:*", b"https://a.example.com"),
        ("https://*.com", b"https://example.com"),
        ("http://localhost:*", b"http://localhost"),
        ("http://localhost:*", b"http://localhost:1"),
        ("http://localhost:*", b"http://localhost:65535"),
        ("http://127.0.0.1:*", b"http://127.0.0.1:5173"),
        ("http://[::1]:*", b"http://[::1]:5173"),
        ("https://pr-*.example.com", b"https://pr-1.example.com"),
        ("https://pr-*.example.com", b"https://pr-a-b-c.example.com"),
        ("https://*-app.vercel.app", b"https://my-app.vercel.app"),
        ("https://a*b.example.com", b"https://a-b.example.com"),
        ("https://pr-*.example.com:*", b"https://pr-1.example.com:8443"),
        ("https://pr-*.example.com:8443", b"https://pr-1.example.com:8443"),
        ("null", b"null"),
        ("file://", b"file://"),
        ("chrome-extension://abc", b"chrome-extension://abc"),
        ("capacitor://localhost", b"capacitor://localhost"),
        ("*", b"https://example.com"),
        ("*", b"null"),
        ("*", b"\xff nonsense \x00"),
        ("*", b""),
    ],
)
def test_an_entry_allows_what_it_names(entry: str, value: bytes) -> None:
    found = allowing(entry).match(value)
    assert found is not None
    assert found.text == entry


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        # Look-alikes.
        ("https://example.com", b"https://example.com.evil.com"),
        ("https://example.com", b"https://evilexample.com"),
        ("https://example.com", b"https://example.co"),
        ("https://example.com", b"https://example.com@evil.com"),
        ("https://example.com", b"https://examplezcom"),
        ("https://*.foo.com", b"https://barfoo.com"),
        ("https://*.foo.com", b"https://evil.com/.foo.com"),
        ("https://*.foo.com", b"https://evil.com?.foo.com"),
        ("https://*.foo.com", b"https://evil.com#.foo.com"),
        ("https://*.foo.com", b"https://evil.com:80.foo.com"),
        ("https://*.foo.com", b"https://evil.com\\.foo.com"),
        ("https://*.foo.com", b"https://evil.com@a.foo.com"),
        ("https://*.foo.com", b"https://a.foo.com.evil.com"),
        ("http://localhost:3000", b"http://localhost:3000.evil.com"),
        ("http://localhost:*", b"http://localhost:3000.evil.com"),
        ("http://localhost:*", b"http://localhost.evil.com"),
        ("http://localhost:*", b"http://localhost:3000:4000"),
        ("http://localhost:*", b"http://localhost@evil.com"),
        ("http://localhost:*", b"http://evil.localhost:3000"),
        ("https://pr-*.example.com", b"https://pr-1.evil.com"),
        ("https://pr-*.example.com", b"https://pr-1.example.com.evil.com"),
        ("https://pr-*.example.com", b"https://xpr-1.example.com"),
        # Scheme, host and port all count.
        ("https://example.com", b"http://example.com"),
        ("http://localhost", b"http://localhost:3000"),
        ("http://localhost:3000", b"http://localhost"),
        ("http://localhost:3000", b"http://127.0.0.1:3000"),
        ("http://localhost:*", b"https://localhost:3000"),
        ("https://*.example.com", b"https://a.example.com:8443"),
        ("https://*.example.com:8443", b"https://a.example.com"),
        ("https://*.example.com", b"http://a.example.com"),
        # The apex, empty labels and more labels than one.
        ("https://*.example.com", b"https://example.com"),
        ("https://*.example.com", b"https://.example.com"),
        ("https://*.example.com", b"https://a..example.com"),
        ("https://*.com", b"https://com"),
        ("https://pr-*.example.com", b"https://pr-.example.com"),
        ("https://pr-*.example.com", b"https://pr-1.x.example.com"),
        ("https://pr-*.example.com", b"https://x.pr-1.example.com"),
        ("https://pr-*.example.com", b"https://pr-a_b.example.com"),
        ("https://ab*ba.example.com", b"https://aba.example.com"),
        ("https://ab*ba.example.com", b"https://abba.example.com"),
        ("https://pr-*.example.com", b"https://example.com"),
        # Bytes that no browser sends.
        ("https://example.com", b"https://example.com/"),
        ("https://example.com", b"HTTPS://EXAMPLE.COM"),
        ("https://example.com", b" https://example.com"),
        ("https://example.com", b"https://example.com."),
        ("https://*.example.com", b"https://A.example.com"),
        ("https://*.example.com", b"https://a.example.com:443"),
        ("http://localhost:*", b"http://localhost:80"),
        ("http://localhost:*", b"http://localhost:0"),
        ("http://localhost:*", b"http://localhost:03000"),
        ("http://localhost:*", b"http://localhost:65536"),
        ("http://localhost:*", b"http://localhost:3000/"),
        ("http://localhost:*", b"http://localhost:"),
        ("http://localhost:*", b"http://localhost:\xb2"),
        ("http://localhost:*", b"http://localhost:*"),
        ("https://*.example.com", b"https://*.example.com"),
        ("https://*.example.com", b"https://a.b@c.example.com"),
        # The opaque origin is a word of its own, and only where it is listed.
        ("https://example.com", b"null"),
        ("null", b"Null"),
        ("null", b""),
        ("file://", b"file:///"),
        ("chrome-extension://abc", b"chrome-extension://abcd"),
    ],
)
def test_an_entry_allows_nothing_else(entry: str, value: bytes) -> None:
    assert allowing(entry).match(value) is None


def test_an_empty_list_allows_no_origin() -> None:
    assert OriginSet([]).match(b"http://localhost:3000") is None
    assert OriginSet([]).match(b"") is None


def test_the_most_specific_entry_is_named() -> None:
    entries = [
        "https://*.example.com:*",
        "https://*.example.com",
        "https://*.eu.example.com",
        "https://pr-*.eu.example.com",
        "https://pr-1.eu.example.com:*",
        "https://pr-1.eu.example.com",
    ]
    while entries:
        found = allowing(*entries).match(b"https://pr-1.eu.example.com")
        assert found is not None
        assert found.text == entries.pop()


def test_entries_of_every_depth_are_found_in_any_order() -> None:
    entries = ["https://*.a.b.c.test", "https://*.test", "https://*.b.c.test"]
    for ordered in (entries, entries[::-1]):
        origins = allowing(*ordered)
        for value in (b"https://x.a.b.c.test", b"https://y.x.a.b.c.test"):
            found = origins.match(value)
            assert found is not None
            assert found.text == "https://*.a.b.c.test"
        assert origins.match(b"https://c.test") is not None
        assert origins.match(b"https://test") is None


def test_the_wildcard_wins_over_every_other_entry() -> None:
    origins = allowing("https://example.com", "*")
    assert origins.any is not None
    assert origins.match(b"https://example.com") is origins.any


def test_of_equal_entries_the_first_is_named() -> None:
    for entry in (
        "https://a.test",
        "https://*.a.test",
        "https://a*.a.test",
        "http://a.test:*",
        "*",
    ):
        first = parse_origin_pattern(entry, Source("f", 1, 1))
        again = parse_origin_pattern(entry, Source("f", 2, 1))
        value = entry.replace("*", "b").removesuffix(":b").encode()
        assert OriginSet([first, again]).match(value) is first


def test_loopback_origins_are_every_page_of_this_machine_and_no_other() -> None:
    origins = allowing(*LOOPBACK_ORIGINS)
    for value in (
        b"http://localhost:5173",
        b"https://localhost",
        b"http://app.localhost:8080",
        b"https://a.b.localhost",
        b"http://127.0.0.1:3000",
        b"https://[::1]:3000",
    ):
        assert origins.match(value) is not None
    for value in (
        b"null",
        b"http://192.168.1.5:3000",
        b"http://127.0.0.2",
        b"http://[::2]",
        b"http://localhost.com",
        b"capacitor://localhost",
    ):
        assert origins.match(value) is None


def test_sets_are_values() -> None:
    one, other = allowing("https://a.test", "*"), allowing("https://a.test", "*")
    assert one == other
    assert hash(one) == hash(other)
    assert one != allowing("*", "https://a.test")
    assert one != OriginSet(one.patterns, Source("other"))
    assert one != "https://a.test"
    assert len(one) == 2
    assert [pattern.text for pattern in one] == ["https://a.test", "*"]
    assert repr(one) == "OriginSet(['https://a.test', '*'])"


# Compiled, a class takes no dictionary but Python's own without looking at its methods.
@pytest.mark.interpreted
def test_ten_thousand_entries_cost_no_more_lookups_than_ten() -> None:
    def lookups(count: int) -> int:
        entries = [
            parse_origin_pattern(text)
            for index in range(count)
            for text in (
                f"https://app{index}.test",
                f"https://*.a{index}.test",
                f"http://b{index}.test:*",
                f"https://pr{index:05}-*.example.com",
            )
        ]
        found = _Counted(entries)
        for value in (b"https://x.y.z.other.test", b"https://pr-9.example.com", b"http://b.test:1"):
            found.match(value)
        return found.lookups

    assert lookups(10) == lookups(10_000)


class _Counted(OriginSet):
    """Counts the keys that its dictionaries are asked for."""

    def __init__(self, patterns: Sequence[OriginPattern]) -> None:
        super().__init__(patterns)
        self.lookups = 0
        counting = self

        class Counting(dict):  # type: ignore[type-arg]  # counts for any key and value
            def get(self, *args: object) -> object:
                counting.lookups += 1
                return super().get(*args)

        self._exact = Counting(self._exact)
        self._any_port = Counting(self._any_port)
        self._subdomains = Counting(self._subdomains)
        self._labels = Counting(self._labels)
        for labels in self._labels.values():
            labels._entries = Counting(labels._entries)


def naive(pattern: OriginPattern, value: bytes) -> bool:
    """The grammar's meaning, written a second time without any structure."""
    if pattern.kind is PatternKind.ANY:
        return True
    if pattern.kind in (PatternKind.NULL, PatternKind.EXACT):
        return pattern.text.encode() == value
    origin = parse_origin(value)
    if origin is None or origin.scheme != pattern.scheme:
        return False
    if not pattern.any_port and origin.port != pattern.port:
        return False
    if pattern.kind is PatternKind.ANY_PORT:
        return origin.host == pattern.host
    if pattern.kind is PatternKind.SUBDOMAINS:
        return origin.host.endswith("." + pattern.host)
    label, _, parent = origin.host.partition(".")
    inner = label[len(pattern.prefix) : len(label) - len(pattern.suffix)]
    return (
        parent == pattern.host
        and label == pattern.prefix + inner + pattern.suffix
        and inner != ""
        and set(inner) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    )


@st.composite
def entries(draw: st.DrawFn) -> str:
    scheme, domain, port = draw(SCHEMES), draw(DOMAINS), draw(PORTS)
    leftmost = draw(st.sampled_from(["", "*.", "pr-*.", "*-app.", "p*1.", "a.", "*.b.", "my_*."]))
    suffix = draw(st.sampled_from(["", ":*", f":{port}" if port else ""]))
    return f"{scheme}://{leftmost}{domain}{suffix}"


@given(st.lists(entries() | st.just("null"), max_size=12), origins() | near_origins())
def test_a_set_allows_exactly_what_one_of_its_entries_allows(
    texts: list[str], value: Origin | bytes
) -> None:
    received = value if isinstance(value, bytes) else str(value).encode()
    patterns = [parse_origin_pattern(text) for text in texts]
    found = OriginSet(patterns).match(received)
    assert (found is not None) == any(naive(pattern, received) for pattern in patterns)
    assert found is None or naive(found, received)


@given(origins())
def test_every_origin_is_an_entry_that_allows_itself(origin: Origin) -> None:
    text = str(origin)
    found = OriginSet([parse_origin_pattern(text)]).match(text.encode())
    assert found is not None
    assert found.is_exact


@given(st.binary())
def test_no_bytes_raise(value: bytes) -> None:
    allowing(*LOOPBACK_ORIGINS, "https://*.a.test", "https://a*.test.test").match(value)
