"""What points into an upstream points back to the proxy; nothing else changes a byte."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.links import LinkMap
from corsproxy.core.policy import Route, UpstreamAddress
from corsproxy.core.routing import find_route, parse_target, upstream_target
from tests.policies import policy, request, route, upstream

PROXY = b"http://localhost:8010"

SHOP = route(b"/shop", upstream=upstream("https://api.test", b"/v2"), strip_path=True)
AUTH = route(b"/auth", upstream=upstream("https://api.test", b"/sso"), strip_path=True)
WIKI = route(b"/wiki", upstream=upstream("http://wiki.test:9000"))
ROOT = route(b"/", upstream=upstream("https://root.test"))
BASED = route(b"/", upstream=upstream("https://api.test", b"/v2"))
BARE = route(b"/shop", upstream=upstream("http://api.test"), strip_path=True)
NAMED = route(b"/shop", upstream=upstream("http://api.test"), strip_path=True, preserve_host=True)
SOCKET = route(
    b"/shop",
    upstream=UpstreamAddress("http", "", 80, b"/v2", socket_path="/run/app.sock"),
    strip_path=True,
)


def links(current: Route, *others: Route, authority: bytes = b"localhost:8010") -> LinkMap:
    return LinkMap(policy(current, *others).link_bases, current, authority, secure=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"https://api.test/v2/login", b"/shop/login"),
        (b"https://api.test/v2", b"/shop"),
        (b"https://api.test/v2/", b"/shop/"),
        (b"https://api.test/v2?next=https://api.test/v2", b"/shop?next=https://api.test/v2"),
        (b"https://api.test/v2/a%2Fb//c;d?e=%20&f#g?h/../i", b"/shop/a%2Fb//c;d?e=%20&f#g?h/../i"),
        (b"https://api.test/v2/\xe4", b"/shop/\xe4"),
        (b"HTTPS://API.test/v2/x", b"/shop/x"),
        (b"https://api.test:443/v2/x", b"/shop/x"),
        (b"https://api.test:/v2/x", b"/shop/x"),
        (b"//api.test/v2/x", b"/shop/x"),
        (b"//api.test:443/v2/x", b"/shop/x"),
        (b"https://user:secret@api.test/v2/x", b"/shop/x"),
        (b"https://a@b@api.test/v2/x", b"/shop/x"),
        (b"https://api.test/sso/x", b"/auth/x"),
        (b"http://wiki.test:9000/wiki/x", b"/wiki/x"),
        # What an upstream behind a terminator of TLS takes for its own address.
        (b"http://api.test/v2/x", b"/shop/x"),
        (b"http://API.test:80/v2/x", b"/shop/x"),
        (b"http://api.test:443/v2/x", b"/shop/x"),
        (b"http://api.test/sso", b"/auth"),
    ],
)
def test_a_url_in_an_upstream_becomes_one_on_the_proxy(url: bytes, expected: bytes) -> None:
    assert links(SHOP, AUTH, WIKI).rewrite_url(url) == PROXY + expected


@pytest.mark.parametrize(
    "url",
    [
        b"",
        b"login",
        b"./login",
        b"../login",
        b"?page=2",
        b"#top",
        b"mailto:me@api.test",
        b"https:/api.test/v2/x",
        b"https:api.test/v2/x",
        b"https:///api.test/v2/x",
        b"https://",
        b"//",
        # Other schemes, hosts and ports.
        b"http://api.test:8080/v2/x",
        b"ftp://api.test/v2/x",
        b"https://api.test:8443/v2/x",
        b"https://api.test:80/v2/x",
        b"https://api.test:000443/v2/x",
        b"http://wiki.test/wiki/x",
        b"//wiki.test:9000/wiki/x",
        b"https://other.test/v2/x",
        # Look-alikes.
        b"https://api.test.evil.com/v2/x",
        b"https://evilapi.test/v2/x",
        b"https://api.test@evil.com/v2/x",
        b"https://api.test:pass@evil.com/v2/x",
        b"https://evil.com\\@api.test/v2/x",
        b"https://evil.com/https://api.test/v2/x",
        b"https://evil.com?https://api.test/v2/x",
        b"https://evil.com#@api.test/v2/x",
        b"https://api.test./v2/x",
        b"https://api%2etest/v2/x",
        b" https://api.test/v2/x",
        # Outside of the base.
        b"https://api.test",
        b"https://api.test/",
        b"https://api.test/v1/x",
        b"https://api.test/v2x",
        b"https://api.test/V2/x",
        b"https://api.test/v2/../admin",
        b"https://api.test/v2/%2e%2E/admin",
        b"https://api.test/v2\\x",
        b"https://api.test\\v2/x",
        # Paths that this route's upstream has outside of its base, and what names a host.
        b"/login",
        b"/v2x",
        b"/v2/../admin",
        b"/\\evil.com",
        b"/\\api.test/v2/x",
        b"//evil.com/v2/x",
        b"\xff\xfe\x00",
        # Browsers drop a tab, and what is left names a host.
        b"/v2/\t/evil.com",
        b"\t/v2/x",
        b"https://api.test/v2/\t/evil.com",
        b"https://api.te\tst/v2/x",
    ],
)
def test_every_other_url_stays(url: bytes) -> None:
    assert links(SHOP, AUTH, WIKI).rewrite_url(url) == url


@pytest.mark.parametrize(
    ("current", "url", "expected"),
    [
        (SHOP, b"/v2/login?next=/v2#/v2", b"/shop/login?next=/v2#/v2"),
        (SHOP, b"/v2", b"/shop"),
        (SHOP, b"/sso/login", b"/auth/login"),
        (BARE, b"/login", b"/shop/login"),
        (BARE, b"/", b"/shop/"),
        (BARE, b"/\\evil.com", b"/\\evil.com"),
        (BASED, b"/v2/login", b"/login"),
        (BASED, b"/v2", b"/"),
        (BASED, b"/login", b"/login"),
        (ROOT, b"/login", b"/login"),
        (WIKI, b"/wiki/x", b"/wiki/x"),
        (WIKI, b"/login", b"/login"),
        (SOCKET, b"/v2/login", b"/shop/login"),
    ],
)
def test_a_path_on_the_upstream_becomes_the_path_on_the_proxy(
    current: Route, url: bytes, expected: bytes
) -> None:
    others = [AUTH] if current is SHOP else []
    assert links(current, *others).rewrite_url(url) == expected


@pytest.mark.parametrize("url", [b"/v2//evil.com/x", b"/v2/\\evil.com/x"])
def test_a_mapped_path_never_becomes_another_host(url: bytes) -> None:
    assert links(BASED).rewrite_url(url) == PROXY + url.removeprefix(b"/v2")


def test_the_client_is_sent_to_the_authority_and_scheme_that_it_used() -> None:
    bases = policy(SHOP).link_bases
    for authority in (b"proxy.internal", b"Proxy:8443", b"[::1]:8010", b"127.0.0.1:8010"):
        mapped = LinkMap(bases, SHOP, authority, secure=True).rewrite_url(b"https://api.test/v2/x")
        assert mapped == b"https://" + authority + b"/shop/x"


@pytest.mark.parametrize("authority", [b"", b"a b", b"a, b", b"u@a", b"a/b", b"a:b"])
def test_without_a_usable_authority_only_paths_are_mapped(authority: bytes) -> None:
    unnamed = links(SHOP, authority=authority)
    assert unnamed.rewrite_url(b"https://api.test/v2/x") == b"https://api.test/v2/x"
    assert unnamed.rewrite_url(b"/v2/x") == b"/shop/x"


def test_the_requests_route_comes_first_then_the_longest_match() -> None:
    whole = route(b"/all", upstream=upstream("https://api.test"), strip_path=True)
    part = route(b"/part", upstream=upstream("https://api.test", b"/v2"), strip_path=True)
    url = b"https://api.test/v2/x"
    assert links(whole, part).rewrite_url(url) == PROXY + b"/all/v2/x"
    assert links(part, whole).rewrite_url(url) == PROXY + b"/part/x"
    assert links(ROOT, route(b"/x"), whole, part).rewrite_url(url) == PROXY + b"/part/x"
    assert links(part, whole).rewrite_url(b"/other") == b"/all/other"


def test_what_no_route_reaches_goes_where_a_relative_link_would() -> None:
    assert links(WIKI).rewrite_url(b"http://wiki.test:9000/login") == PROXY + b"/login"
    assert links(WIKI).rewrite_url(b"http://wiki.test:9000") == PROXY + b"/"
    unbased = route(b"/wiki", upstream=upstream("http://wiki.test", b"/v2"))
    assert links(unbased).rewrite_url(b"http://wiki.test/login") == b"http://wiki.test/login"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"http://localhost:8010/login", PROXY + b"/shop/login"),
        (b"https://LOCALHOST:8010/login", PROXY + b"/shop/login"),
        (b"http://api.test/login", PROXY + b"/shop/login"),
        (b"http://localhost:8010/shop/login", b"http://localhost:8010/shop/login"),
        (b"http://localhost/login", b"http://localhost/login"),
    ],
)
def test_with_preserve_host_the_proxys_host_is_the_upstreams_own(
    url: bytes, expected: bytes
) -> None:
    assert links(NAMED).rewrite_url(url) == expected


def test_of_a_mounted_proxy_the_upstream_may_know_the_prefix_or_not() -> None:
    mounted = route(b"/api", mount=b"/api", upstream=upstream(), preserve_host=True)
    for said in (b"http://localhost:8010/x", b"http://localhost:8010/api/x", b"/x"):
        read = links(mounted).rewrite_url(said)
        assert read.removeprefix(b"http://localhost:8010") == b"/api/x"


def test_an_upstream_that_sees_its_own_host_writes_its_own_urls() -> None:
    assert links(BARE).rewrite_url(PROXY + b"/login") == PROXY + b"/login"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"http://localhost/v2/x", PROXY + b"/shop/x"),
        (b"//localhost/v2/x", PROXY + b"/shop/x"),
        (b"https://localhost/v2/x", b"https://localhost/v2/x"),
        (b"http://localhost:9000/v2/x", b"http://localhost:9000/v2/x"),
    ],
)
def test_a_unix_socket_writes_urls_of_the_host_it_was_sent(url: bytes, expected: bytes) -> None:
    assert links(SOCKET).rewrite_url(url) == expected
    assert links(SHOP, SOCKET).rewrite_url(url) == url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0; url=https://api.test/v2/x", b"0; url=" + PROXY + b"/shop/x"),
        (b"5;URL = /v2/x", b"5;URL = /shop/x"),
        (b"0;url='/v2/x'", b"0;url='/shop/x'"),
        (b"0; url=\"/v2/x?a='b'\" trailing", b"0; url=\"/shop/x?a='b'\" trailing"),
        (b"0; url='/v2/x", b"0; url='/shop/x"),
        (b" 1.5 , /v2/x", b" 1.5 , /shop/x"),
        (b"3 /v2/x", b"3 /shop/x"),
        (b"0; /v2/x", b"0; /shop/x"),
        (b"0; url=//api.test/v2/x", b"0; url=" + PROXY + b"/shop/x"),
    ],
)
def test_refresh_has_its_url_rewritten(value: bytes, expected: bytes) -> None:
    assert links(SHOP).rewrite_refresh(value) == expected


@pytest.mark.parametrize(
    "value",
    [b"", b"5", b"0;", b"0; url=", b"0; url=https://evil.com/v2", b"0; url=x", b"/v2/x", b"x; /v2"],
)
def test_refresh_without_a_url_in_an_upstream_stays(value: bytes) -> None:
    assert links(SHOP).rewrite_refresh(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            b'<https://api.test/v2/items?page=2>; rel="next", </v2/items?page=9>; rel="last"',
            b"<" + PROXY + b'/shop/items?page=2>; rel="next", </shop/items?page=9>; rel="last"',
        ),
        (b"</v2/a,b;c>;rel=x,</v2/d>", b"</shop/a,b;c>;rel=x,</shop/d>"),
        (b" , ,</v2/a>  ; rel=x ,, ", b" , ,</shop/a>  ; rel=x ,, "),
        (
            b'</v2/a>; title="x, </v2/no>; \\", </v2/no>", </v2/b>',
            b'</shop/a>; title="x, </v2/no>; \\", </v2/no>", </shop/b>',
        ),
        (b"</v2/a>; t*=UTF-8''%e2, <x>, </v2/b>", b"</shop/a>; t*=UTF-8''%e2, <x>, </shop/b>"),
        (b'</v2/a>; anchor="/v2/no"', b'</shop/a>; anchor="/v2/no"'),
        (b'</v2/a>; title="open, </v2/no>', b'</shop/a>; title="open, </v2/no>'),
        (b"</v2/a>; rel=x, /v2/no, </v2/no>", b"</shop/a>; rel=x, /v2/no, </v2/no>"),
    ],
)  # fmt: skip
def test_only_the_targets_of_link_are_rewritten(value: bytes, expected: bytes) -> None:
    assert links(SHOP).rewrite_link(value) == expected


@pytest.mark.parametrize(
    "value",
    [b"", b"/v2/x", b"<https://evil.com/v2>; rel=next", b"< /v2/x>", b"<", b"</v2/x", b"<>", b",,"],
)
def test_link_without_a_target_in_an_upstream_stays(value: bytes) -> None:
    assert links(SHOP).rewrite_link(value) == value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (b"location", b"/v2/x", b"/shop/x"),
        (b"content-location", b"/v2/x", b"/shop/x"),
        (b"refresh", b"0; url=/v2/x", b"0; url=/shop/x"),
        (b"link", b"</v2/x>", b"</shop/x>"),
    ],
)
def test_each_field_has_its_own_grammar(name: bytes, value: bytes, expected: bytes) -> None:
    assert links(SHOP).rewrite_field(name, value) == expected


TLS = route(b"/", upstream=upstream("https://localhost:8443"))


@pytest.mark.parametrize("url", [b"http://localhost:8443/items/", b"https://localhost:8443/items/"])
def test_an_https_upstream_that_thinks_it_is_http_stays_inside(url: bytes) -> None:
    assert links(TLS).rewrite_url(url) == PROXY + b"/items/"
    assert links(TLS).rewrite_url(b"http://localhost/items/") == b"http://localhost/items/"


PLAIN_AND_TLS = (
    route(b"/plain", upstream=upstream("http://api.test"), strip_path=True),
    route(b"/tls", upstream=upstream("https://api.test"), strip_path=True),
)


def test_a_plain_http_upstream_is_mentioned_first() -> None:
    mapping = links(*PLAIN_AND_TLS)
    assert mapping.rewrite_url(b"http://api.test/x") == PROXY + b"/plain/x"
    assert mapping.rewrite_url(b"https://api.test/x") == PROXY + b"/tls/x"


def location(
    current: Route, value: bytes, target: bytes = b"/", method: str = "GET", status: int = 302
) -> bytes:
    """What becomes of a Location in the answer to a request for `target`."""
    mapping = links(current)._replace(received=request(method, target))
    return mapping.rewrite_location(value, status)


@pytest.mark.parametrize("status", [200, 202, 204, 301, 302, 303, 307, 308, 201, 400, 404, 503])
def test_location_is_a_link_in_redirections_and_in_201(status: int) -> None:
    is_link = status == 201 or status // 100 == 3
    expected = PROXY + b"/x" if is_link else b"https://api.test/v2/x"
    assert location(BASED, b"https://api.test/v2/x", status=status) == expected


@pytest.mark.parametrize(
    ("current", "value", "target"),
    [
        (BASED, b"/v2/", b"/"),
        (BASED, b"/v2", b"/"),
        (BASED, b"https://api.test/v2/", b"/"),
        (BASED, b"https://api.test/v2/?", b"/?"),
        (BASED, b"/v2/x?a#b", b"/x?a"),
        (BASED, b"http://api.test/v2/x", b"http://localhost:8010/x"),
        (ROOT, b"https://root.test/x?y", b"/x?y"),
        (SHOP, b"https://api.test/v2/x", b"/shop/x"),
        (SHOP, b"/v2", b"/shop"),
    ],
)
def test_what_leads_back_to_its_own_target_stays(
    current: Route, value: bytes, target: bytes
) -> None:
    for method in ("GET", "HEAD"):
        assert location(current, value, target, method) == value
    mapped = location(current, value, target, "POST", 303)
    assert mapped != value
    assert mapped.startswith((b"/", PROXY))


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        (b"/v2/x/", b"/x", b"/x/"),
        (b"/v2/x", b"/x/", b"/x"),
        (b"/v2/x?page=2", b"/x", b"/x?page=2"),
        (b"/v2", b"/x", b"/"),
        (b"/v2/", b"/x", b"/"),
    ],
)
def test_what_leads_elsewhere_does_not(value: bytes, target: bytes, expected: bytes) -> None:
    assert location(BASED, value, target) == expected


def test_a_201_may_name_its_own_target() -> None:
    assert location(BASED, b"/v2/x", b"/x", "GET", 201) == b"/x"


@pytest.mark.parametrize("userinfo", [b"user:secret@", b"user@", b"@", b"a@b@"])
def test_userinfo_stays_where_the_upstream_answers_cors(userinfo: bytes) -> None:
    through = replace(SHOP, cors="passthrough")
    mapped = links(through).rewrite_url(b"https://" + userinfo + b"api.test/v2/x")
    assert mapped == b"http://" + userinfo + b"localhost:8010/shop/x"


@pytest.mark.parametrize("changes", [{"forwarded": "on"}, {"preserve_host": True}])
def test_a_stripped_prefix_is_put_back_for_one_that_knows_the_public_address(
    changes: dict[str, Any],
) -> None:
    bare = replace(BARE, **changes)
    for path in (b"/cart", b"/shop/cart"):
        assert links(bare).rewrite_url(PROXY + path) == PROXY + b"/shop/cart"
    assert links(bare).rewrite_url(b"/cart") == b"/shop/cart"


FRAGMENTS = st.sampled_from(
    [
        b"https://", b"http:", b"//", b"api.test", b"wiki.test:9000", b"/v2", b"/x", b"/shop",
        b"..", b"%2e", b"\\", b"@", b":443", b"?", b"#", b"<", b">", b",", b";", b'"', b"0; url=",
        b" ",
    ]
)  # fmt: skip
VALUES = st.binary() | st.lists(FRAGMENTS, max_size=8).map(b"".join)
ROUTES = st.sampled_from([SHOP, WIKI, ROOT, BASED, BARE, NAMED, SOCKET])


@given(VALUES, ROUTES, st.sampled_from([b"localhost:8010", b"", b"\xff"]))
def test_no_bytes_raise(value: bytes, current: Route, authority: bytes) -> None:
    mapping = links(current, AUTH, authority=authority)
    for name in (b"location", b"refresh", b"link"):
        mapping.rewrite_field(name, value)


@given(
    VALUES.filter(
        lambda value: b"test" not in value and b"/v2" not in value and b"/sso" not in value
    )
)
def test_a_value_that_names_no_upstream_stays(value: bytes) -> None:
    for name in (b"location", b"refresh", b"link"):
        assert links(SHOP, AUTH, WIKI).rewrite_field(name, value) == value


SEGMENTS = st.sampled_from([b"a", b"v2", b"shop", b"", b"%2F", b"\xe4", b"x.y"])


@given(
    st.sampled_from([SHOP, BASED, BARE, ROOT, SOCKET]),
    st.lists(SEGMENTS, min_size=1).map(lambda segments: b"/" + b"/".join(segments)),
    st.sampled_from([b"", b"?", b"?a=/v2"]),
)
def test_links_lead_back_to_the_request_that_reaches_them(
    current: Route, rest: bytes, query: bytes
) -> None:
    """The upstream links to the very resource that a client asked it for."""
    asked = (b"" if current.path == b"/" else current.path) + rest + query
    target = parse_target(asked)
    assert target is not None
    assert find_route(policy(current), target.path) is current
    at_upstream = upstream_target(current, target)
    mapping = links(current)
    authority = b"localhost" if current is SOCKET else current.upstream.authority
    scheme = current.upstream.scheme.encode()
    assert mapping.rewrite_url(scheme + b"://" + authority + at_upstream) == PROXY + asked
    if not at_upstream.startswith(b"//"):
        assert mapping.rewrite_url(at_upstream).removeprefix(PROXY) == asked
