"""Texts that are not valid in their place."""

import pytest

from corsproxy.config.mistakes import BadValueError, checked


@checked
def even(text: str) -> int:
    number = int(text)
    if number % 2:
        suggestion = "0" if number == 1 else "3"
        raise BadValueError("odd", "this is odd", "write an even number", suggestion)
    return number


def test_accepted_values_are_returned() -> None:
    assert even("4") == 4


def test_an_unacceptable_suggestion_is_dropped() -> None:
    with pytest.raises(BadValueError) as kept:
        even("1")
    with pytest.raises(BadValueError) as dropped:
        even("5")
    assert (kept.value.suggestion, dropped.value.suggestion) == ("0", None)
    assert str(dropped.value) == "this is odd"
