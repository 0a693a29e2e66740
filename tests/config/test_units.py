"""Durations and sizes."""

import json
import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("5", 5), ("0.5", 0.5), ("250ms", 0.25), ("5s", 5), ("10m", 600), ("1h", 3600),
        ("2d", 172800), ("1h30m", 5400), ("1m0.5s", 60.5), ("1.5h", 5400), ("0s", 0),
    ],
)  # fmt: skip
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("10:00", "10m"), ("1:30", "1m30s"), ("010", "10"), ("05s", "5s"), ("10 m", "10m"),
        ("5 seconds", "5s"), ("5sec", "5s"), ("2 Hours", "2h"), ("10M", "10m"), (" 5s ", "5s"),
        ("", None), ("-5", None), ("+5", None), ("1e3", None), ("0x10", None), (".5", None),
        ("5.", None), ("inf", None), (".inf", None), ("nan", None), ("none", None), ("5y", None),
        ("s", None), ("1h30", None), ("٥s", None), ("5µs", None), ("1" * 13, None),
        ("9" * 500, None), ("1s" * 30, None),
    ],
)  # fmt: skip
def test_invalid_durations_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_duration(text)
    assert (refused.value.code, refused.value.suggestion) == ("bad-duration", suggestion)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("1", 1), ("65536", 65536), ("10B", 10), ("10KB", 10_000), ("64KiB", 65536),
        ("10MB", 10_000_000), ("1MiB", 1048576), ("2GB", 2_000_000_000), ("1GiB", 1 << 30),
        ("1.5KiB", 1536), ("10kb", 10_000), ("10mib", 10 << 20),
    ],
)  # fmt: skip
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("10M", "10MiB"), ("10k", "10KiB"), ("4Gi", "4GiB"), ("10 MB", "10MB"), ("010", "10"),
        ("", None), ("-1", None), ("0.5", None), ("1.5B", None), ("10Mbit", None), ("10TB", None),
        ("1_000", None), ("unlimited", None), ("0x10", None), ("9" * 30, None),
    ],
)  # fmt: skip
def test_invalid_sizes_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_size(text)
    assert (refused.value.code, refused.value.suggestion) == ("bad-size", suggestion)


@given(st.text(st.sampled_from("0123456789.:smhdKMGiB -e"), max_size=12) | st.text(max_size=12))
def test_every_text_is_a_unit_or_refused_with_one(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            assert parse(text) >= 0
        except BadValueError as mistake:
            if mistake.suggestion is not None:
                parse(mistake.suggestion)


def test_the_help_for_a_duration_and_the_schema_show_every_unit() -> None:
    with pytest.raises(BadValueError) as refused:
        parse_duration("soon")
    schema = json.loads((files("corsproxy.config") / "schema.json").read_text("utf-8"))
    for words in (refused.value.help, schema["definitions"]["duration"]["description"]):
        for unit in ("ms", "s", "m", "h", "d"):
            assert re.search(rf"\b[0-9]+{unit}\b", words), (unit, words)
