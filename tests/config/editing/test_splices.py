"""Changing a text at places in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.editing.splices import EditError, Splice, insertion, spliced, spliced_bytes


def test_splices_are_made_in_any_order() -> None:
    splices = [Splice(4, 5, "E"), insertion(0, ">"), Splice(1, 3, "")]
    assert spliced("abcde", splices) == ">adE"


def test_insertions_at_one_place_keep_their_order() -> None:
    assert spliced("ab", [insertion(1, "1"), insertion(1, "2")]) == "a12b"


def test_overlapping_splices_are_a_bug() -> None:
    with pytest.raises(ValueError, match="overlap"):
        spliced("abc", [Splice(0, 2, ""), Splice(1, 3, "")])


@given(st.text(), st.lists(st.tuples(st.integers(0, 20), st.text(max_size=3)), max_size=5))
def test_removing_insertions_gives_the_old_text(text: str, places: list[tuple[int, str]]) -> None:
    splices = [insertion(min(place, len(text)), new) for place, new in places]
    left = spliced(text, splices)
    for splice in sorted(splices, key=lambda splice: splice.start):
        assert left.startswith(splice.text, splice.start)
        left = left[: splice.start] + left[splice.start + len(splice.text) :]
    assert left == text


def test_offsets_are_code_points_and_do_not_count_a_byte_order_mark() -> None:
    data = b"\xef\xbb\xbf" + "é: ✓\r\n".encode()
    assert spliced_bytes(data, [insertion(4, "!")]) == b"\xef\xbb\xbf" + "é: ✓!\r\n".encode()


def test_a_refusal_says_why_and_what_to_do() -> None:
    error = EditError("the reason", "the help")
    assert (str(error), error.reason, error.help, error.problems) == (
        "the reason", "the reason", "the help", (),
    )  # fmt: skip
