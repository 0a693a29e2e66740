"""Methods and header names in lists. Refused values are in broken/members.txt."""

import pytest

from corsproxy.config.members import CHECKS
from corsproxy.config.mistakes import BadValueError
from corsproxy.core.fields import FORBIDDEN_REQUEST_HEADERS
from corsproxy.core.methods import NORMALIZED_METHODS


@pytest.mark.parametrize("method", sorted(NORMALIZED_METHODS))
def test_methods_that_browsers_normalise_are_in_upper_case(method: str) -> None:
    assert CHECKS["allow_methods"](method.lower()) == (method, None)


@pytest.mark.parametrize("method", ["PATCH", "QUERY", "M-SEARCH"])
def test_other_methods_stay_as_they_are(method: str) -> None:
    assert CHECKS["allow_methods"](method) == (method, None)


@pytest.mark.parametrize("method", ["patch", "Patch", "query"])
def test_lower_case_is_another_method(method: str) -> None:
    name, hint = CHECKS["allow_methods"](method)
    assert name == method
    assert hint is not None
    assert (hint.code, hint.suggestion) == ("method-case", method.upper())


@pytest.mark.parametrize("method", ["FROBNICATE", "frobnicate", "X"])
def test_a_method_that_is_never_forwarded_is_warned_of(method: str) -> None:
    name, hint = CHECKS["allow_methods"](method)
    assert name == method
    assert hint is not None
    assert (hint.code, hint.suggestion) == ("method-unknown", None)


@pytest.mark.parametrize("key", ["allow_headers", "expose_headers"])
def test_header_names_are_in_lower_case(key: str) -> None:
    assert CHECKS[key]("X-Request-Id") == ("x-request-id", None)


@pytest.mark.parametrize(
    "name", [*sorted(FORBIDDEN_REQUEST_HEADERS), b"Sec-Fetch-Mode", b"proxy-x", b"Access-Control-X"]
)
def test_headers_that_no_page_can_set_are_refused(name: bytes) -> None:
    with pytest.raises(BadValueError) as refused:
        CHECKS["allow_headers"](name.decode())
    assert refused.value.code == "forbidden-header"
    assert refused.value.help


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "Range", "User-Agent", "X-HTTP-Method"])
def test_headers_that_a_page_can_set_are_allowed(name: str) -> None:
    assert CHECKS["allow_headers"](name) == (name.lower(), None)


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie2", "Access-Control-Allow-Origin"])
def test_headers_that_no_page_can_read_are_refused(name: str) -> None:
    with pytest.raises(BadValueError):
        CHECKS["expose_headers"](name)


@pytest.mark.parametrize("name", ["Cache-Control", "Content-Length", "ETag"])
def test_headers_that_a_page_can_read_are_allowed(name: str) -> None:
    assert CHECKS["expose_headers"](name) == (name.lower(), None)
