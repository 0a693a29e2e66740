"""http1/plain_lines.py: lines that every parser reads the same, and their places."""

import pytest

from corsproxy.core.messages import Boxed, Field
from corsproxy.http1.plain_lines import (
    OTHER,
    UNUSUAL,
    PlainLines,
    end_of_line,
    has_line,
    number,
    roles_of,
)

ROLES = roles_of({b"host": 1, b"upgrade": UNUSUAL})


def read(line: bytes, behind: bytes = b"") -> Boxed | None:
    """Return what is read in a line that comes in the place of the line `behind`."""
    lines, said = PlainLines(ROLES), None
    for each in (behind, line):
        data = each + b"\r\n\r\n"
        said = lines.read(0, data, 0, len(data) - 3)
    return None if said is None else said.field


@pytest.mark.parametrize(
    "field",
    [(b"A", b"b"), (b"a-B_c", b"d: e"), (b"A", b"b c"), (b"A", b"\xe9"), (b"Host", b"a")],
)
def test_a_plain_line_is_a_name_and_a_value(field: Field) -> None:
    assert read(b": ".join(field)) == field
    assert read(b": ".join(field), field[0] + b": before") == field
    assert read(b": ".join(field), field[0][:1] + b": before") == field


@pytest.mark.parametrize(
    "line",
    [
        b"", b"A", b"A:", b"A: ", b"A:b", b"A:  b", b"A: b ", b"A : b", b" A: b", b": b",
        b"\xe9: b",
        b"A: b\0", b"A: b\tc", b"A: b\x7f", b"A: b\nC: d", b"A: b\rC: d", b"(A): b", b"UPGRADE: a",
    ],
)  # fmt: skip
def test_every_other_line_is_none(line: bytes) -> None:
    assert read(line) is None
    for name in (b"A", b"UPGRADE"):
        assert read(line, name + b": before") is None


def test_names_have_their_roles_in_any_case() -> None:
    assert [ROLES[name].role for name in (b"Host", b"HOST", b"other")] == [1, 1, OTHER]
    assert [ROLES[name].role for name in (b"Upgrade", b"no token", b"")] == [UNUSUAL] * 3


def test_a_line_that_is_the_same_in_its_place_is_the_same_object() -> None:
    lines = PlainLines(ROLES)
    data = b"A: 1\r\nB: 2\r\n\r\n"
    bound = len(data) - 3
    first = [lines.read(place, data, 6 * place, bound) for place in range(2)]
    assert [lines.read(place, data, 6 * place, bound) for place in range(2)] == first
    elsewhere = lines.read(0, data, 6, bound)
    assert elsewhere is not None
    assert elsewhere is not first[1]
    assert elsewhere.field == (b"B", b"2")


def test_what_is_long_or_far_behind_is_read_and_not_remembered() -> None:
    lines = PlainLines(ROLES)
    for place, line in ((0, b"A: " + b"b" * 200), (48, b"A: b"), (5, b"A: b")):
        data = line + b"\r\n\r\n"
        first, second = (lines.read(place, data, 0, len(data) - 3) for _ in range(2))
        assert first is not None
        assert second is not None
        assert first is not second


def test_a_line_ends_before_the_bound_or_nowhere() -> None:
    data = b"ab\r\ncd\r\n\r\n"
    assert [end_of_line(data, 0, bound) for bound in range(5)] == [-1, -1, -1, 2, 2]
    assert [has_line(data, 0, b"ab", bound) for bound in range(5)] == [False] * 3 + [True] * 2
    assert not has_line(data, 0, b"a", 9)
    assert not has_line(b"ab\r\r\n\n", 0, b"ab", 3)
    assert not has_line(b"ab\n\n\n\n", 0, b"ab", 3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"0", 0), (b"12", 12), (b"007", 7), (b"9" * 18, 10**18 - 1), (b"1" * 19, -1), (b"-1", -1),
        (b"+1", -1), (b"1_0", -1), (b"1/", -1), (b"1:", -1), (b"\xb2", -1), (b"1 ", -1),
    ],
)  # fmt: skip
def test_a_number_consists_of_digits_alone(value: bytes, said: int) -> None:
    assert number(value) == said
