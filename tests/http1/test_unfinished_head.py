"""A head that has not ended: kept, measured, forgotten."""

import pytest

from corsproxy.core.policy import Limits
from corsproxy.http1.unfinished_head import UnfinishedHead

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_what_is_taken_is_forgotten() -> None:
    head = UnfinishedHead(Limits())
    begun = [head.has_begun]
    head.add(b"GET")
    head.add(b" / ")
    begun.append(head.has_begun)
    assert head.take() == b"GET / "
    begun.append(head.has_begun)
    assert head.take() == b""
    assert begun == [False, True, False]


@pytest.mark.parametrize("size", range(len(HEAD)))
def test_the_end_is_found_wherever_it_is_cut(size: int) -> None:
    for behind in (b"", b"\r\n\r\n", HEAD):
        head = UnfinishedHead(Limits())
        if size:
            assert head.end_in(b"xx" + HEAD[:size], 2) == 0
            head.add(HEAD[:size])
        data = b"xx" + HEAD[size:] + behind
        assert head.end_in(data, 2) == 2 + len(HEAD) - size


def test_an_end_in_single_bytes_is_found() -> None:
    head = UnfinishedHead(Limits())
    for at in range(len(HEAD) - 1):
        assert head.end_in(HEAD[at : at + 1], 0) == 0
        head.add(HEAD[at : at + 1])
    assert head.end_in(HEAD[-1:], 0) == 1


def test_more_than_any_accepted_head_is_too_large() -> None:
    head = UnfinishedHead(Limits(target=10, field_section=10))
    head.add(b"a" * 1044)
    assert not head.is_too_large
    head.add(b"a")
    assert head.is_too_large
