"""What can be forwarded."""

import pytest

from corsproxy.core.methods import (
    CORS_SAFELISTED_METHODS,
    FORBIDDEN_METHODS,
    FORWARDED_METHODS,
    NORMALIZED_METHODS,
)


def test_what_browsers_send_most_is_forwarded_and_what_they_never_send_is_not() -> None:
    assert CORS_SAFELISTED_METHODS | NORMALIZED_METHODS | {"PATCH"} <= FORWARDED_METHODS
    assert not FORWARDED_METHODS & FORBIDDEN_METHODS


@pytest.mark.parametrize("method", ["patch", "Patch", "get", "FROBNICATE", ""])
def test_what_the_parser_lacks_is_not(method: str) -> None:
    assert method not in FORWARDED_METHODS
