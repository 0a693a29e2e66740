"""Field names and values: the grammar and the one pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core import fields as f


@pytest.mark.parametrize("value", [b"a", b"X-A", b"!#$%&'*+-.^_`|~", b"0"])
def test_tokens(value: bytes) -> None:
    assert f.is_token(value)


@pytest.mark.parametrize("value", [b"", b"a b", b"a:", b"a\n", b"\xe9", b'"a"', b"a,b", b"a\x00"])
def test_non_tokens_are_refused(value: bytes) -> None:
    assert not f.is_token(value)


@pytest.mark.parametrize("value", [b"", b"a", b"a b\tc", b"caf\xe9", b'"x", y;z=1'])
def test_field_values(value: bytes) -> None:
    assert f.is_field_value(value)
    assert f.is_safe_value(value)


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"\x00", b"a\x7f", b"\x1b[0m"])
def test_values_that_could_split_or_corrupt_a_line(value: bytes) -> None:
    assert not f.is_field_value(value)
    assert not f.is_safe_value(value)


def test_lists_join_over_lines_and_drop_empty_members() -> None:
    assert f.split_list([b" a ,,b\t", b"", b",c"]) == [b"a", b"b", b"c"]


def test_partition_keeps_order_and_drops_look_alikes() -> None:
    lines = [(b"X-A", b"1"), (b"HOST", b"h"), (b"x-a", b"2"), (b"X_Real.IP", b"3"), (b"host", b"i")]
    passed, found = f.partition(lines, f.managed_names(frozenset({b"host", b"x-real-ip"})))
    assert passed == [(b"X-A", b"1"), (b"x-a", b"2")]
    assert found == {b"host": [b"h", b"i"]}


def test_name_table_is_bounded_and_judges_beyond_its_bound() -> None:
    table = f.managed_names(frozenset({b"host"}))
    for number in range(5000):
        assert table[b"x-%d" % number] is None
    assert len(table) < 5000
    assert table[b"HOST"] == b"host"
    assert table[b"HO_ST"] is None


def test_name_table_keeps_no_long_names() -> None:
    table = f.managed_names(frozenset({b"host"}))
    for number in range(100):
        assert table[b"%d" % number * 500] is None
    assert not table


def test_a_prefix_is_managed_under_every_name_that_begins_with_it() -> None:
    table = f.managed_names(frozenset({b"host"}), b"x-forwarded-")
    assert table[b"X-Forwarded-User"] == b"x-forwarded-user"
    assert table[b"X_Forwarded-User"] == b""
    assert table[b"X-Forwarded"] is None


@pytest.mark.parametrize("name", [b"cookie", b"sec-fetch-site", b"proxy-x", b"origin"])
def test_headers_that_script_cannot_set(name: bytes) -> None:
    assert f.is_forbidden_request_header(name)


@given(st.binary(max_size=50))
def test_grammar_never_raises_and_values_are_safe(value: bytes) -> None:
    if f.is_field_value(value):
        assert f.is_safe_value(value)
    if f.is_token(value):
        assert f.is_field_value(value)
