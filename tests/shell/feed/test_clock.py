"""The times at the beginning of lines."""

import re

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.feed.clock import clock_time, timestamp


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1763683262.9996) == "2025-11-21T00:01:02.999Z"


@given(st.floats(min_value=0, max_value=4e9))
def test_a_timestamp_always_has_one_width(seconds: float) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp(seconds))


def test_now_is_the_default() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d", clock_time())
    assert timestamp() >= "2025"
