"""The times at the beginning of lines."""

import time
from functools import lru_cache


def timestamp(seconds: float | None = None) -> str:
    """Return a time since the epoch, by default now, in RFC 3339 form: UTC, milliseconds."""
    seconds = time.time() if seconds is None else seconds
    whole = int(seconds)
    return f"{_utc(whole)}.{int((seconds - whole) * 1000):03d}Z"


def utc_day() -> str:
    """Return today in UTC, as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def clock_time(seconds: float | None = None) -> str:
    """Return the local time of day, by default now, as HH:MM:SS."""
    return _local(int(time.time() if seconds is None else seconds))


# Thousands of lines share the same second.
@lru_cache(maxsize=4)
def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=4)
def _local(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))
