"""What is mistaken for the cause, explained where it fits."""

from dataclasses import replace

import pytest

from corsproxy.core.advice.confusions import (
    LOCAL_NETWORK_ACCESS,
    about_local_network,
    about_missing_cookie,
    lacks_cookie,
    meets_local_network_access,
)
from corsproxy.core.messages import Field
from corsproxy.core.policy import ListenAddress
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import FILE, PAGE, policy, rules

ALLOWED = Verdict(Kind.ACTUAL, Code.ORIGIN_ALLOWED, True, "default")
ORIGIN = (b"Origin", PAGE.encode())


@pytest.mark.parametrize(
    ("verdict", "status", "fields", "lacks"),
    [
        (ALLOWED, 401, [ORIGIN], True),
        (ALLOWED, 403, [ORIGIN], True),
        (ALLOWED, 404, [ORIGIN], False),
        (ALLOWED, 401, [ORIGIN, (b"Cookie", b"a=1")], False),
        (ALLOWED, 401, [ORIGIN, (b"authorization", b"Bearer t")], False),
        (ALLOWED.replace(kind=Kind.PREFLIGHT), 401, [ORIGIN], False),
        (ALLOWED.replace(code=Code.NO_ORIGIN), 401, [], False),
        (ALLOWED.replace(code=Code.ORIGIN_NOT_ALLOWED, allowed=False), 403, [ORIGIN], False),
    ],
)
def test_an_upstream_that_does_not_know_the_page_may_miss_a_cookie(
    verdict: Verdict, status: int, fields: list[Field], lacks: bool
) -> None:
    assert lacks_cookie(verdict, status, fields) == lacks


WITHOUT = rules(credentials_source=Source(FILE, 4, 3))
WITH = replace(WITHOUT, credentials=True)


def test_credentials_that_are_not_allowed_are_the_cause() -> None:
    assert about_missing_cookie(WITHOUT, []) == (
        "It came without a cookie. If the page sends cookies, the browser keeps the response from"
        " it: allow_credentials is not true"
        " (corsproxy.yaml:4:3)."
    )


def test_another_site_is_the_cause() -> None:
    found = about_missing_cookie(WITH, [(b"Sec-Fetch-Site", b"cross-site")])
    assert "localhost and 127.0.0.1" in found


@pytest.mark.parametrize("fields", [[], [(b"sec-fetch-site", b"same-site")]])
def test_where_the_cause_is_not_known_all_of_them_are_named(fields: list[Field]) -> None:
    found = about_missing_cookie(WITH, fields)
    for cause in ("credentials: 'include'", "SameSite", "Secure", "third-party", "preflight"):
        assert cause in found


@pytest.mark.parametrize(
    ("origin", "listen", "meets"),
    [
        ("https://app.example.com", "localhost", True),
        ("https://app.example.com", "127.0.0.1", True),
        ("https://app.example.com", "::1", True),
        ("https://8.8.8.8", "localhost", True),
        ("https://[2606:4700::1]", "localhost", True),
        ("https://app.example.com", "0.0.0.0", False),
        ("https://app.example.com", "10.0.0.1", False),
        ("http://app.example.com", "localhost", False),
        ("https://192.168.0.1", "localhost", False),
        ("https://[fd00::1]", "localhost", False),
        ("https://intranet", "localhost", False),
        ("https://app.localhost", "localhost", False),
        ("https://127.0.0.1", "localhost", False),
        ("null", "localhost", False),
        ("", "localhost", False),
    ],
)
def test_public_pages_need_permission_to_call_this_machine(
    origin: str, listen: str, meets: bool
) -> None:
    given = policy(listen=(ListenAddress(listen, 8010),))
    assert meets_local_network_access(given, origin) is meets
    refused = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, "default", None, origin)
    assert about_local_network(given, refused, []) == (LOCAL_NETWORK_ACCESS if meets else None)
    assert about_local_network(given, ALLOWED.replace(subject=origin), []) is None


def test_a_refused_preflight_that_asks_for_the_private_network_is_told_of_its_end() -> None:
    asks = [(b"Access-control-request-PRIVATE-network", b"true")]
    for code in (Code.ORIGIN_NOT_ALLOWED, Code.METHOD_NOT_ALLOWED):
        refused = Verdict(Kind.PREFLIGHT, code, False, "default", None, PAGE)
        assert about_local_network(policy(), refused, asks) == LOCAL_NETWORK_ACCESS
        assert about_local_network(policy(), refused, []) is None
    assert about_local_network(policy(), ALLOWED.replace(kind=Kind.PREFLIGHT), asks) is None
