"""From a target to a route: whole segments, the longest prefix, bytes untouched."""

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.upstreams import parse_upstream
from corsproxy.core.policy import Policy
from corsproxy.core.routing import find_route, is_ambiguous, parse_target, upstream_target
from tests.policies import policy, route, upstream


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", (b"/", b"", None)),
        (b"/a?b?c", (b"/a", b"?b?c", None)),
        (b"/a?", (b"/a", b"?", None)),
        (b"*", (b"*", b"", None)),
        (b"//evil.test/x", (b"//evil.test/x", b"", None)),
        (b"http://h:1/a?b", (b"/a", b"?b", b"h:1")),
        (b"HTTPS://h", (b"/", b"", b"h")),
        (b"http://h?q", (b"/", b"?q", b"h")),
        (b"ftp://h/", None),
        (b"a/b", None),
        (b"", None),
        (b"h:443", None),
    ],
)
def test_target_is_taken_apart(
    target: bytes, expected: tuple[bytes, bytes, bytes | None] | None
) -> None:
    found = parse_target(target)
    parts = None if found is None else (found.path, found.query, found.authority)
    assert parts == expected


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/", "default"),
        (b"/shop", "shop"),
        (b"/shop/", "shop"),
        (b"/shop/cart/1", "shop/cart"),
        (b"/shop/cartx", "shop"),
        (b"/shopx", "default"),
        (b"/SHOP/x", "default"),
        (b"/%73hop", "default"),
        (b"//shop", "default"),
        (b"/x/shop", "default"),
    ],
)
def test_longest_prefix_on_whole_segments_wins(path: bytes, name: str) -> None:
    found = find_route(policy(route(b"/"), route(b"/shop"), route(b"/shop/cart")), path)
    assert found is not None
    assert found.name == name


def test_no_route_takes_what_lies_outside() -> None:
    only = policy(route(b"/api"))
    assert find_route(only, b"/apix") is None
    assert find_route(only, b"/") is None
    assert find_route(only, b"*") is None


@pytest.mark.parametrize(
    ("strip", "base", "target", "expected"),
    [
        (False, b"", b"/shop/a", b"/shop/a"),
        (False, b"/v2", b"/shop/a?", b"/v2/shop/a?"),
        (True, b"", b"/shop", b"/"),
        (True, b"", b"/shop?x", b"/?x"),
        (True, b"/v2", b"/shop", b"/v2"),
        (True, b"/v2", b"/shop/a%2Fb//c+d?e=%20&&f", b"/v2/a%2Fb//c+d?e=%20&&f"),
        (True, b"/v2", b"/shop/", b"/v2/"),
        (True, b"", b"/shop//evil.test/", b"//evil.test/"),
    ],
)
def test_only_the_prefix_is_mapped(
    strip: bool, base: bytes, target: bytes, expected: bytes
) -> None:
    shop = route(b"/shop", strip_path=strip, upstream=upstream(base=base))
    parsed = parse_target(target)
    assert parsed is not None
    assert upstream_target(shop, parsed) == expected


@pytest.mark.parametrize(
    ("url", "target", "expected"),
    [
        ("http://h/v2", b"/", b"/v2"),
        ("http://h/v2", b"/?a", b"/v2?a"),
        ("http://h/v2", b"/x", b"/v2/x"),
        ("http://h/v2", b"//", b"/v2//"),
        ("http://h/v2/", b"/", b"/v2/"),
        ("http://h/v2/", b"/x", b"/v2/x"),
        ("http://h", b"/", b"/"),
        ("http://h/", b"/?a", b"/?a"),
    ],
)
def test_the_base_is_sent_as_it_is_written(url: str, target: bytes, expected: bytes) -> None:
    root = route(b"/", upstream=parse_upstream(url))
    parsed = parse_target(target)
    assert parsed is not None
    assert upstream_target(root, parsed) == expected


@pytest.mark.parametrize(
    ("path", "strip", "target", "expected"),
    [
        (b"/api", False, b"/api", b"/v2/"),
        (b"/api", False, b"/api/", b"/v2/"),
        (b"/api", False, b"/api/api?q", b"/v2/api?q"),
        (b"/api", True, b"/api/x", b"/v2/x"),
        (b"/api/shop", False, b"/api/shop/x", b"/v2/shop/x"),
        (b"/api/shop", True, b"/api/shop/x", b"/v2/x"),
    ],
)
def test_a_mount_is_stripped_whatever_the_route_strips(
    path: bytes, strip: bool, target: bytes, expected: bytes
) -> None:
    mounted = route(path, mount=b"/api", strip_path=strip, upstream=parse_upstream("http://h/v2/"))
    parsed = parse_target(target)
    assert parsed is not None
    assert upstream_target(mounted, parsed) == expected


def _naive(paths: list[bytes], path: bytes) -> bytes | None:
    fits = [p for p in paths if p == b"/" or path == p or path.startswith(p + b"/")]
    return max(fits, key=len, default=None)


_SEGMENTS = st.lists(st.sampled_from([b"a", b"b", b"ab", b""]), min_size=1, max_size=5)


@given(st.lists(_SEGMENTS, max_size=6), _SEGMENTS)
def test_agrees_with_a_search_through_all_routes(
    prefixes: list[list[bytes]], segments: list[bytes]
) -> None:
    paths = [b"/" + b"/".join(s) for s in prefixes]
    paths = sorted({p.rstrip(b"/") or b"/" for p in paths})
    path = b"/" + b"/".join(segments)
    found = find_route(policy(*[route(p) for p in paths]), path) if paths else None
    assert (None if found is None else found.path) == _naive(paths, path)


SHOP = policy(route(b"/"), route(b"/shop"), route(b"/shop/cart"), route(b"/caf%C3%A9"))


def ambiguous(rules: Policy, path: bytes) -> bool:
    target = parse_target(path)
    return target is not None and is_ambiguous(rules, target, find_route(rules, path))


@pytest.mark.parametrize(
    "path",
    [
        b"/%73hop",
        b"/%73hop/x",
        b"/sho%70",
        b"//shop",
        b"//shop/cart",
        b"/shop//cart",
        b"/shop%2fcart",
        b"/shop%2Fcart",
        b"/shop\\cart",
        b"/shop%5ccart",
        b"/\\shop",
        b"/shop;x",
        b"/shop;x/y",
        b"/shop;x/cart",
        b"/;x/shop",
        b"/shop/cart;v=1",
        b"/shop/;/cart",
        b"/%2fshop",
        b"/shop%3bx",
        b"/shop/%63art",
        b"/caf%c3%a9",
        b"/caf%C3%A9;x",
        b"/c%61f%C3%A9",
        b"//%73hop;x%2f%63art",
    ],
)
def test_a_path_that_may_be_another_routes_is_ambiguous(path: bytes) -> None:
    assert ambiguous(SHOP, path)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"*",
        b"/shop",
        b"/shop/a%2fb",
        b"/shop//x",
        b"/shop/x;y",
        b"/shop/cart/%61",
        b"/x%20y",
        b"/%61",
        b"//x",
        b"/x;y/z",
        b"/shop/%2561",
        b"/SHOP%20",
        b"/caf%C3%A9",
        b"/caf%C3%A9/a%20b",
        b"/shop%20",
        b"/shop/x\\y",
        b"/shops%2fx",
    ],
)
def test_one_that_is_the_same_routes_in_every_reading_is_not(path: bytes) -> None:
    assert not ambiguous(SHOP, path)


@pytest.mark.parametrize("path", [b"/%61pi", b"//api", b"/api;x", b"/api\\x", b"/x%2f..%61pi"])
def test_no_route_counts_as_one(path: bytes) -> None:
    assert ambiguous(policy(route(b"/api")), path) is (b".." not in path)
    assert not ambiguous(policy(route(b"/")), path)


def test_a_route_that_has_parameters_itself_keeps_its_requests() -> None:
    assert not ambiguous(policy(route(b"/"), route(b"/a;b=c")), b"/a;b=c/x")
    assert ambiguous(policy(route(b"/a"), route(b"/a;b=c")), b"/a;b=c/x")


# What servers do to a path before they match it, one after the other.
def merge(path: bytes) -> bytes:
    return re.sub(b"/+", b"/", path)


def drop(path: bytes) -> bytes:
    return re.sub(b";[^/]*", b"", path)


def turn(path: bytes) -> bytes:
    return path.replace(b"\\", b"/")


def decode_segments(path: bytes) -> bytes:
    return unquote_to_bytes(re.sub(rb"%(?=2f)", b"%25", path, flags=re.IGNORECASE))


BACK_ENDS: dict[str, Sequence[Callable[[bytes], bytes]]] = {
    "decodes": (unquote_to_bytes,),
    "decodes, merges (nginx)": (unquote_to_bytes, merge),
    "merges, decodes": (merge, unquote_to_bytes),
    "drops parameters, decodes (Tomcat)": (drop, unquote_to_bytes),
    "decodes, drops parameters": (unquote_to_bytes, drop),
    "slashes, decodes, slashes (IIS)": (turn, unquote_to_bytes, turn),
    "decodes all but slashes": (decode_segments,),
}
PIECES = [
    "/",
    "/",
    "shop",
    "cart",
    "s",
    "%73",
    "hop",
    "%2f",
    "%5c",
    "\\",
    ";",
    ";x",
    "%3b",
    "a",
    "%61",
    "%63art",
]


@pytest.mark.parametrize("back_end", BACK_ENDS.values(), ids=list(BACK_ENDS))
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=8))
def test_the_route_that_decides_is_the_one_that_the_back_end_sees(
    back_end: Sequence[Callable[[bytes], bytes]], pieces: list[str]
) -> None:
    path = seen = ("/" + "".join(pieces)).encode()
    for step in back_end:
        seen = step(seen)
    if not ambiguous(SHOP, path):
        assert find_route(SHOP, path) is find_route(SHOP, seen)
