"""A script's call, as the browser makes it."""

import pytest

from corsproxy.core.page_call import PageCall
from tests.policies import PAGE


@pytest.mark.parametrize(
    ("method", "headers", "asks"),
    [
        ("GET", (), False),
        ("post", (), False),
        ("put", (), True),
        ("patch", (), True),
        ("GET", ("X-A",), True),
    ],
)
def test_the_browser_asks_first_where_the_standard_says_so(
    method: str, headers: tuple[str, ...], asks: bool
) -> None:
    assert PageCall(PAGE, "/", method, headers).needs_preflight == asks


@pytest.mark.parametrize(("method", "sent"), [("put", "PUT"), ("patch", "patch"), ("get", "GET")])
def test_six_methods_are_sent_in_upper_case(method: str, sent: str) -> None:
    assert PageCall(PAGE, "/", method).normalized_method == sent


def test_the_preflight_names_the_method_and_each_header_once() -> None:
    call = PageCall(PAGE, "/", "put", ("X-B", "x-a", "x-b"))
    assert call.preflight_fields == [
        (b"Access-Control-Request-Method", b"PUT"),
        (b"Access-Control-Request-Headers", b"x-a,x-b"),
    ]
    assert len(PageCall(PAGE, "/", "put").preflight_fields) == 1
