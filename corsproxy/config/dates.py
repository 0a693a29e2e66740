"""Dates of entries that expire: the arithmetic of the calendar, and no clock.

A day is written `YYYY-MM-DD`, so that two of them compare as texts. What day it is comes
from the caller; a day ends at midnight UTC.
"""

from datetime import date

from corsproxy.config.mistakes import BadValueError

WARNING_DAYS = 7
"""How many days before an entry's last day there is a warning."""


def parse_day(text: str) -> str:
    """Return `text` where it is a date, written as YYYY-MM-DD; raises BadValueError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise BadValueError(
            "bad-date", f"`{text}` is not a date", "write it as YYYY-MM-DD, such as `2027-01-31`"
        )
    return text


def days_left(until: str, day: str) -> int:
    """Return how many days after `day` the day `until` is; negative where it is before."""
    return (date.fromisoformat(until) - date.fromisoformat(day)).days


def day_after(day: str, days: int = 1) -> str:
    """Return the next day, or the one that is so many days later."""
    return date.fromordinal(date.fromisoformat(day).toordinal() + days).isoformat()
