"""http1/field_lines.py: field sections as bytes."""

import pytest

from corsproxy.http1.field_lines import serialize_fields


def test_a_serialized_field_section() -> None:
    assert serialize_fields([(b"Host", b"a"), (b"X", b"")]) == b"Host: a\r\nX: \r\n"
    assert serialize_fields([]) == b""


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("place", range(6))
def test_no_field_line_becomes_two_lines(end: bytes, place: int) -> None:
    name, value = b"Name", b"value"
    fields = [
        (end + name, value),
        (name[:2] + end + name[2:], value),
        (name + end, value),
        (name, end + value),
        (name, value[:2] + end + value[2:]),
        (name, value + end),
    ]
    with pytest.raises(ValueError, match="line break"):
        serialize_fields([(b"A", b"1"), fields[place], (b"B", b"")])
