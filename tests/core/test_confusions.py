"""What is mistaken for the cause, explained where it fits."""

from dataclasses import replace

import pytest

from corsproxy.core.confusions import about_missing_cookie, lacks_cookie
from corsproxy.core.messages import Field
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import FILE, PAGE, rules

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
        (ALLOWED._replace(kind=Kind.PREFLIGHT), 401, [ORIGIN], False),
        (ALLOWED._replace(code=Code.NO_ORIGIN), 401, [], False),
        (ALLOWED._replace(code=Code.ORIGIN_NOT_ALLOWED, allowed=False), 403, [ORIGIN], False),
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
        "It came without a cookie, and may not have one: allow_credentials is not true"
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
