"""Paths as expressions, held against the router."""

import re

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.routing import Target, find_route, is_ambiguous, upstream_target
from corsproxy.export import paths
from tests.policies import policy, route, upstream

ROUTES = (b"/", b"/a", b"/a/b", b"/ab", b"/q(r)", b"/x-y")
PIECES = ("/", "//", "a", "b", "ab", "%61", "%2f", "%2F", "\\", "%5c", ";x", "%3bx", "q(r)", "x-y",
          "x%2dy", ".", "%25")  # fmt: skip

_paths = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda found: "/" + "".join(found))


@given(_paths, st.lists(st.sampled_from(ROUTES), min_size=1, unique=True))
def test_the_first_expression_that_fits_is_the_route(path: str, taken: list[bytes]) -> None:
    routes = policy(*map(route, taken))
    ordered = sorted(routes.routes, key=lambda each: -len(each.path))
    fits = [each for each in ordered if re.fullmatch(paths.taken(each), path)]
    assert (fits[0] if fits else None) is find_route(routes, path.encode())


@given(_paths, st.lists(st.sampled_from(ROUTES), min_size=1, unique=True))
def test_whatever_is_ambiguous_is_read_as_another_route(path: str, taken: list[bytes]) -> None:
    routes = policy(*map(route, taken))
    found = find_route(routes, path.encode())
    if not is_ambiguous(routes, Target(path.encode(), b"", None), found):
        return
    assert paths.may_be_ambiguous(routes)
    longer = [each for each in routes.routes if found is None or len(each.path) > len(found.path)]
    assert any(re.fullmatch(paths.read_as(each), path) for each in longer if each.path != b"/")


@given(
    st.sampled_from(ROUTES),
    st.sampled_from((b"", b"/v2", b"/v2/x")),
    st.booleans(),
    st.sampled_from(("", "/", "/x", "//x", "/a%2fb")),
    st.sampled_from(("", "?", "?a/b?c")),
)
def test_the_mapping_agrees_with_the_router(
    path: bytes, base: bytes, strip: bool, below: str, query: str
) -> None:
    way = route(path, strip_path=strip, upstream=upstream(base=base))
    target = path.decode().rstrip("/") + below
    if not target:
        return
    expected = upstream_target(way, Target(target.encode(), query.encode(), None))
    for mapping in paths.mappings(way):
        found = re.fullmatch(mapping.expression, target + query)
        if found is not None:
            assert mapping.prefix + (found[1] or "") == expected.decode()
            return
    raise AssertionError((target, paths.mappings(way)))
