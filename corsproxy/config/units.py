"""Durations and sizes as people write them.

A duration is a number of seconds, or numbers with `ms`, `s`, `m`, `h` or `d`; a size is
a number of bytes, or a number with `KB` (1000), `KiB` (1024) and so on. What YAML 1.1
made of `1:30` and `010` is neither.
"""

import re

from corsproxy.config.mistakes import BadValueError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")

_SIZES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")

_LONG_UNITS = {
    "millisecond": "ms", "milliseconds": "ms", "msec": "ms", "msecs": "ms", "millis": "ms",
    "second": "s", "seconds": "s", "sec": "s", "secs": "s",
    "minute": "m", "minutes": "m", "min": "m", "mins": "m",
    "hour": "h", "hours": "h", "hr": "h", "hrs": "h",
    "day": "d", "days": "d",
}  # fmt: skip
_SHORT_SIZES = {"k": "KiB", "m": "MiB", "g": "GiB", "ki": "KiB", "mi": "MiB", "gi": "GiB"}

_LONGEST = 12


def parse_duration(text: str) -> float:
    """Return the duration in seconds. Raises BadValueError."""
    if len(text) <= 4 * _LONGEST:
        if _NUMBER.fullmatch(text) and len(text) <= _LONGEST:
            return float(text)
        if _DURATION.fullmatch(text):
            parts = [(number, unit) for number, unit in _PART.findall(text)]
            if all(_NUMBER.fullmatch(number) and len(number) <= _LONGEST for number, _ in parts):
                return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    help = "write a number of seconds, or one with a unit: `250ms`, `5s`, `10m`, `1h`, `1d`"
    suggestion = _repair_duration(text)
    raise BadValueError("bad-duration", "this is not a valid duration", help, suggestion)


def _repair_duration(text: str) -> str | None:
    clock = re.fullmatch(r"([0-9]{1,4}):([0-5][0-9])", text)
    if clock:
        minutes, seconds = int(clock[1]), int(clock[2])
        return f"{minutes}m{seconds}s" if seconds else f"{minutes}m"
    found = re.fullmatch(r"0*([0-9]{1,9}(?:\.[0-9]{1,6})?) *([A-Za-z]*)", text.strip())
    if found is None:
        return None
    number, unit = found[1], found[2].lower()
    unit = _LONG_UNITS.get(unit, unit)
    return f"{number}{unit}" if unit in _UNITS or not unit else None


def parse_size(text: str) -> int:
    """Return the size in bytes. Raises BadValueError."""
    found = _SIZE.fullmatch(text)
    if found and len(found[1]) <= _LONGEST and _NUMBER.fullmatch(found[1]):
        unit = next((unit for unit in _SIZES if unit.lower() == found[2].lower()), None)
        if unit is not None or not found[2]:
            size = float(found[1]) * _SIZES[unit or "B"]
            if size.is_integer():
                return int(size)
    help = "write a number of bytes, or one with a unit: `64KiB`, `10MB`"
    raise BadValueError("bad-size", "this is not a valid size", help, _repair_size(text))


def _repair_size(text: str) -> str | None:
    found = re.fullmatch(r"0*([0-9]{1,9}) *([A-Za-z]*)", text.strip())
    if found is None:
        return None
    unit = _SHORT_SIZES.get(found[2].lower(), found[2])
    return f"{found[1]}{unit}" if unit in _SIZES or not unit else None
