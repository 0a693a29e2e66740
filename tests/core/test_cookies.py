"""An upstream's cookies are kept by a browser that got them through this listener."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.cookies import rewrite_set_cookie, without_inspector_cookies


def plain(value: bytes, *, base: bytes = b"", path: bytes = b"/", strip: bool = False) -> bytes:
    return rewrite_set_cookie(value, secure_listener=False, base=base, path=path, strip_path=strip)


def secure(value: bytes, *, base: bytes = b"", path: bytes = b"/", strip: bool = False) -> bytes:
    return rewrite_set_cookie(value, secure_listener=True, base=base, path=path, strip_path=strip)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; Domain=api.example.com", b"a=1"),
        (b"a=1; domain = .example.com ; Path=/", b"a=1; Path=/"),
        (b"a=1; Domain", b"a=1"),
        (b"a=1; Domain=a.com; Domain=b.com; HttpOnly", b"a=1; HttpOnly"),
        (b"a=1; Secure; HttpOnly", b"a=1; HttpOnly"),
        (b"a=1;SECURE;httponly", b"a=1;httponly"),
        (b"a=1; Secure=yes", b"a=1"),
        (b"a=1; SameSite=None; Secure", b"a=1; SameSite=Lax"),
        (b"a=1; samesite = NONE ; Path=/", b"a=1; samesite = Lax ; Path=/"),
        (b"a=1; SameSite=None", b"a=1; SameSite=Lax"),
        (b"a=1; SameSite=Strict; Secure", b"a=1; SameSite=Strict"),
        (b"a=1; SameSite=Lax", b"a=1; SameSite=Lax"),
        (b"a=1; Secure; Partitioned; SameSite=None", b"a=1; SameSite=Lax"),
        (
            b"id=a3f; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure",
            b"id=a3f; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        (b"__Secure-a=1; Secure; Domain=x.com", b"__Secure-a=1; Secure"),
        (b"__SECURE-a=1; Secure; SameSite=None", b"__SECURE-a=1; Secure; SameSite=None"),
        (b" __Host-a =1; Secure; Path=/", b" __Host-a =1; Secure; Path=/"),
        (b"__Http-a=1; Secure; HttpOnly", b"__Http-a=1; Secure; HttpOnly"),
        (b"__Host-Http-a=1; Secure; Partitioned", b"__Host-Http-a=1; Secure; Partitioned"),
        (b"x__Host-a=1; Secure", b"x__Host-a=1"),
    ],
)
def test_over_plain_http_what_needs_the_upstreams_https_and_host_goes(
    value: bytes, expected: bytes
) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; Domain=api.example.com; Secure", b"a=1; Secure"),
        (b"a=1; SameSite=None; Secure; Partitioned", b"a=1; SameSite=None; Secure; Partitioned"),
        (b"__Host-a=1; Secure; Path=/", b"__Host-a=1; Secure; Path=/"),
    ],
)
def test_over_https_only_the_upstreams_host_goes(value: bytes, expected: bytes) -> None:
    assert secure(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a",
        b"a=1",
        b"=1; HttpOnly",
        b"a=1; Path=/; Max-Age=3600; HttpOnly; Priority=High",
        b"a=b=c==; Path=/",
        b'a="quoted, Secure and Domain=x"; HttpOnly',
        b"a=\xff\xfe\x01; X=\xe4",
        b"a=1;;  ; ;",
        b"Secure; HttpOnly",
        b"Domain=x.com; HttpOnly",
        b"a=1; Insecure; SecureX; Domains=x; NotPath=/v1",
        b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_everything_else_passes_byte_for_byte(value: bytes) -> None:
    assert plain(value) == value
    assert secure(value) == value


@pytest.mark.parametrize(
    ("written", "base", "path", "strip", "expected"),
    [
        (b"/v1/x", b"/v1", b"/api", True, b"/api/x"),
        (b"/v1", b"/v1", b"/api", True, b"/api"),
        (b"/v1/", b"/v1", b"/api", True, b"/api/"),
        (b"/", b"/v1", b"/api", True, b"/"),
        (b"/v1x", b"/v1", b"/api", True, b"/"),
        (b"/other", b"/v1", b"/api", True, b"/"),
        (b"/x", b"", b"/api", True, b"/api/x"),
        (b"/", b"", b"/api", True, b"/"),
        (b"/v1/api/x", b"/v1", b"/api", False, b"/api/x"),
        (b"/v1/x", b"/v1", b"/", False, b"/x"),
        (b"/v1", b"/v1", b"/", False, b"/"),
        (b"/v1/x", b"/v1", b"/", True, b"/x"),
        (b"/api/x", b"", b"/api", False, b"/api/x"),
        (b"/x", b"", b"/", True, b"/x"),
        # Without a leading slash browsers take the directory of the request.
        (b"", b"/v1", b"/api", True, b""),
        (b"v1/x", b"/v1", b"/api", True, b"v1/x"),
        (b'"/v1"', b"/v1", b"/api", True, b'"/v1"'),
    ],
)
def test_the_path_becomes_the_one_under_which_the_client_comes_back(
    written: bytes, base: bytes, path: bytes, strip: bool, expected: bytes
) -> None:
    for rewrite in (plain, secure):
        value = b"a=/v1/x; HttpOnly; path =\t" + written + b" ;X=/v1/x"
        assert rewrite(value, base=base, path=path, strip=strip) == (
            b"a=/v1/x; HttpOnly; path =\t" + expected + b" ;X=/v1/x"
        )


def test_a_path_without_a_value_stays() -> None:
    assert plain(b"a=1; Path; Path=", base=b"/v1") == b"a=1; Path; Path="


def test_a_host_prefix_keeps_its_path() -> None:
    value = b"__Host-a=1; Path=/; Secure"
    assert plain(value, base=b"/v1", path=b"/api", strip=True) == value
    elsewhere = b"__host-a=1; Path=/v1; Secure"
    assert plain(elsewhere, base=b"/v1", path=b"/api", strip=True) == elsewhere


def test_a_secure_prefix_has_its_path_mapped() -> None:
    assert plain(b"__Secure-a=1; Path=/v1/x; Secure", base=b"/v1") == (
        b"__Secure-a=1; Path=/x; Secure"
    )


ATTRIBUTES = st.sampled_from(
    [
        b"Path=/", b"Path=/v1/x", b"Domain=x.com", b"Secure", b"SameSite=None", b"SameSite=Strict",
        b"Partitioned", b"HttpOnly", b"Max-Age=1", b"X=\xff", b"", b"Expires=Wed, 21 Oct 2026",
    ]
)  # fmt: skip
NAMES = st.sampled_from([b"a=1", b"__Host-a=1", b"__Secure-a=1", b"a", b""])
COOKIES = st.builds(
    lambda name, attributes: b"; ".join([name, *attributes]), NAMES, st.lists(ATTRIBUTES)
)


@given(
    st.binary() | COOKIES,
    st.booleans(),
    st.sampled_from([b"", b"/v1"]),
    st.sampled_from([b"/", b"/api"]),
    st.booleans(),
)
def test_no_bytes_raise_and_the_value_is_never_touched(
    value: bytes, secure_listener: bool, base: bytes, path: bytes, strip: bool
) -> None:
    rewritten = rewrite_set_cookie(
        value, secure_listener=secure_listener, base=base, path=path, strip_path=strip
    )
    assert rewritten.split(b";")[0] == value.split(b";")[0]
    known = (b"path", b"domain", b"secure", b"samesite", b"partitioned")

    def others(cookie: bytes) -> list[bytes]:
        names = [a.partition(b"=")[0].strip(b" \t").lower() for a in cookie.split(b";")[1:]]
        return [a for a, n in zip(cookie.split(b";")[1:], names, strict=True) if n not in known]

    assert others(rewritten) == others(value)


@given(st.binary() | COOKIES, st.booleans())
def test_what_was_rewritten_needs_no_rewriting(value: bytes, secure_listener: bool) -> None:
    rewrite = secure if secure_listener else plain
    once = rewrite(value)
    assert rewrite(once) == once
    assert b"domain=" not in once.partition(b";")[2].lower().replace(b" ", b"")


@given(COOKIES)
def test_a_browser_on_plain_http_would_keep_it(value: bytes) -> None:
    rewritten = plain(value).split(b";")
    attributes = {attribute.strip().lower() for attribute in rewritten[1:]}
    if not rewritten[0].startswith(b"__"):
        assert not attributes & {b"secure", b"partitioned", b"samesite=none"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a=1; corsproxy-inspector-8011=t; b=2", [b"a=1; b=2"]),
        (b"corsproxy-inspector-8011=t", []),
        (b"corsproxy-inspector-8011=t;corsproxy-inspector-9=u", []),
        (b"a=corsproxy-inspector-", [b"a=corsproxy-inspector-"]),
        (b"a=1", [b"a=1"]),
    ],
)
def test_the_inspectors_cookies_are_for_no_upstream(before: bytes, after: list[bytes]) -> None:
    fields = [(b"X-A", b"corsproxy-inspector-8011=t"), (b"Cookie", before)]
    assert without_inspector_cookies(fields) == [fields[0], *((b"Cookie", each) for each in after)]
