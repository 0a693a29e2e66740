"""Every code has its facts, and the words that leave the house are stable."""

import pytest

from corsproxy.core.fields import is_safe_value
from corsproxy.core.source import Source
from corsproxy.core.verdicts import FACTS, Code, Kind, Verdict
from corsproxy.errors import UpstreamFault


def test_every_code_has_facts() -> None:
    assert set(FACTS) == set(Code)
    assert all(facts.title for facts in FACTS.values())


def test_every_upstream_fault_is_a_code_with_a_gateway_status() -> None:
    for fault in UpstreamFault:
        assert FACTS[Code(fault)].status in (502, 503, 504)


@pytest.mark.parametrize("code", list(Code))
def test_codes_are_words_that_fit_into_a_field(code: Code) -> None:
    assert code.replace("-", "").isalpha()
    assert code == code.lower()


def test_browser_names_map_one_to_one() -> None:
    names = [f.browser_error for c, f in FACTS.items() if f.browser_error]
    # The same failure for the browser, whether the upstream was asked, and whether the origin was
    # ever listed.
    names.remove("MissingAllowOriginHeader")
    names.remove("MissingAllowOriginHeader")
    assert len(names) == len(set(names))


def test_reason_names_the_code_and_the_place() -> None:
    at = Source("corsproxy.yaml", 4, 5)
    verdict = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, "shop", at, "https://x.test")
    assert verdict.reason == "origin-not-allowed; at=corsproxy.yaml:4:5"
    assert Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False).reason == "origin-not-allowed"


def test_a_replaced_value_leaves_the_others() -> None:
    at = Source("corsproxy.yaml", 4, 5)
    verdict = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, "shop", at, "https://x.test")
    assert verdict.replace(allowed=True).replace(allowed=False) == verdict
    assert verdict.replace(subject="") != verdict
    assert len({verdict, verdict.replace(code=verdict.code)}) == 1


def test_reason_names_all_headers_where_they_are_several() -> None:
    at = Source("corsproxy.yaml", 4, 5)
    verdict = Verdict(Kind.PREFLIGHT, Code.HEADER_NOT_ALLOWED, False, "shop", at, "x-a, x-b")
    assert verdict.reason == 'header-not-allowed; at=corsproxy.yaml:4:5; names="x-a, x-b"'
    for other in ("x-a", 'x-a, "', "x-a, \r\n", "x-a" + ", x-b" * 300, "x-a, \\"):
        assert verdict.replace(subject=other).reason == "header-not-allowed; at=corsproxy.yaml:4:5"


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "b\udcff", "c\0\x1b[2J", "d\u202e\u2028"])
def test_a_file_s_name_ends_no_field(name: str) -> None:
    verdict = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, at=Source(name, 4, 5))
    assert verdict.reason.isprintable()
    assert is_safe_value(verdict.reason.encode("utf-8"))
    assert verdict.reason.startswith(f"origin-not-allowed; at={name[0]}?")


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [
        (Kind.PREFLIGHT, Code.ORIGIN_NOT_ALLOWED, "PreflightMissingAllowOriginHeader"),
        (Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, "MissingAllowOriginHeader"),
        (Kind.PREFLIGHT, Code.METHOD_NOT_ALLOWED, "MethodDisallowedByPreflightResponse"),
        (Kind.ACTUAL, Code.NO_ROUTE, None),
        (Kind.PREFLIGHT, Code.NO_ROUTE, "PreflightInvalidStatus"),
        (Kind.PREFLIGHT, Code.LOCAL_OPTIONS, None),
    ],
)
def test_browser_error_follows_the_kind(kind: Kind, code: Code, name: str | None) -> None:
    assert Verdict(kind, code, False).browser_error == name


def test_an_error_that_is_withheld_from_the_page_is_a_cors_error() -> None:
    verdict = Verdict(Kind.ACTUAL, Code.NO_ROUTE, False, withheld=True)
    assert verdict.browser_error == "MissingAllowOriginHeader"
    preflight = verdict.replace(kind=Kind.PREFLIGHT)
    assert preflight.browser_error == "PreflightMissingAllowOriginHeader"
