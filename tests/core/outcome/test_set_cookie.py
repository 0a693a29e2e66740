"""What becomes of cookies; `tests/browser/test_cookies.py` asks Chromium the same."""

import pytest

from corsproxy.core.outcome.call import Call, Mode
from corsproxy.core.outcome.set_cookie import CookieFate, cookie_fates, differences

SAME_SITE = Call(Mode.CORS, b"http://localhost:8010", origin=b"http://localhost:5173",
                 site=b"same-site", credentials=True)  # fmt: skip
CROSS_SITE = Call(Mode.CORS, b"http://127.0.0.1:8010", origin=b"http://localhost:5173",
                  site=b"cross-site", credentials=True)  # fmt: skip
OTHER_SCHEME = Call(Mode.CORS, b"http://localhost:8010", origin=b"https://localhost:5173",
                    site=b"cross-site", credentials=True)  # fmt: skip
ON_LAN = Call(Mode.CORS, b"http://nas.lan:8010", origin=b"http://nas.lan:5173", credentials=True)


def fate(call: Call, line: bytes) -> CookieFate:
    [found] = cookie_fates(call, b"/api/login?x=1", [(b"Set-Cookie", line)])
    return found


SAME_SITE_TABLE = [
    (b"a=1", None),
    (b"a", None),
    (b"a=1; SameSite=None", "SameSiteNoneInsecure"),
    (b"a=1; SameSite=None; Secure", None),
    (b"a=1; SameSite=Strict", None),
    (b"a=1; Secure", None),
    (b"__Host-a=1", "InvalidPrefix"),
    (b"__HoSt-a=1", "InvalidPrefix"),
    (b"=__Host-a=1", "InvalidPrefix"),
    (b"__Host-a=1; Secure; Path=/", None),
    (b"__Host-a=1; Secure; Path=/x", "InvalidPrefix"),
    (b"__Host-a=1; Secure; Path=/; Domain=localhost", "InvalidPrefix"),
    (b"__Secure-a=1", "InvalidPrefix"),
    (b"__Secure-a=1; Secure", None),
    (b"__Http-a=1; Secure", "InvalidPrefix"),
    (b"__Http-a=1; Secure; HttpOnly", None),
    (b"__Host-Http-a=1; Secure; Path=/; HttpOnly", None),
    (b"__Host-Http-a=1; Secure; Path=/", "InvalidPrefix"),
    (b"a=1; Domain=example.com", "InvalidDomain"),
    (b"a=1; Domain=com", "InvalidDomain"),
    (b"a=1; Domain=.localhost", None),
    (b"a=1; Domain=", None),
    (b"a=1; Partitioned; Secure; SameSite=None", None),
    (b"a=1; Partitioned", "InvalidPartitioned"),
    (b"", "NoCookieContent"),
    (b"=", "NoCookieContent"),
    (b"a=" + b"x" * 4096, "NameValuePairExceedsMaxSize"),
    (b"a=\x01", "DisallowedCharacter"),
]
CROSS_SITE_TABLE = [
    (b"a=1", "SameSiteUnspecifiedTreatedAsLax"),
    (b"a=1; SameSite=Lax", "SameSiteLax"),
    (b"a=1; SameSite=Strict", "SameSiteStrict"),
    (b"a=1; SameSite=None", "SameSiteNoneInsecure"),
    (b"a=1; SameSite=None; Secure", None),
]


@pytest.mark.parametrize(("line", "reason"), SAME_SITE_TABLE)
def test_of_one_site(line: bytes, reason: str | None) -> None:
    assert fate(SAME_SITE, line).reason == reason


@pytest.mark.parametrize(("line", "reason"), CROSS_SITE_TABLE)
def test_of_two_sites(line: bytes, reason: str | None) -> None:
    found = fate(CROSS_SITE, line)
    assert found.reason == reason
    assert found.is_of_other_site == (reason not in (None, "SameSiteNoneInsecure"))


def test_where_only_the_scheme_differs_the_reason_says_so() -> None:
    assert fate(OTHER_SCHEME, b"a=1").reason == "SchemefulSameSiteUnspecifiedTreatedAsLax"
    assert fate(OTHER_SCHEME, b"a=1; SameSite=Lax").reason == "SchemefulSameSiteLax"


def test_secure_needs_https_beyond_loopback() -> None:
    assert fate(ON_LAN, b"a=1; Secure").reason == "SecureOnly"
    assert fate(ON_LAN, b"a=1").reason is None


def test_deleting_is_not_storing() -> None:
    for line in (b"a=; Max-Age=0", b"a=; Max-Age=-1", b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"):
        assert fate(SAME_SITE, line).deletes
    for line in (b"a=1; Max-Age=60", b"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT"):
        assert not fate(SAME_SITE, line).deletes


def test_paths() -> None:
    assert fate(SAME_SITE, b"a=1").path == "/api"
    assert fate(SAME_SITE, b"a=1; Path=/v1").path == "/v1"
    assert fate(SAME_SITE, b"a=1; Path=v1").path == "/api"


def test_a_call_that_does_not_show_its_credentials_may_be_without() -> None:
    call = Call(Mode.CORS, b"http://localhost:8010", origin=b"http://localhost:1")
    assert fate(call, b"a=1").needs_credentials
    assert not fate(SAME_SITE, b"a=1").needs_credentials


def test_what_keeps_page_and_proxy_apart() -> None:
    assert differences(OTHER_SCHEME) == ("scheme",)
    assert differences(CROSS_SITE) == ("host",)
    assert differences(SAME_SITE) == ()
