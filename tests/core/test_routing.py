"""From a target to a route: whole segments, the longest prefix, bytes untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.routing import find_route, parse_target, upstream_target
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
