"""http1/unfinished_head.py: kept once, measured, forgotten."""

import time

import pytest

from corsproxy.core.policy import Limits
from corsproxy.http1.head_parser import MalformedHeadError
from corsproxy.http1.unfinished_head import HeadBudget, HeadsFullError, UnfinishedHead

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MUCH = 1024 * 1024


def unfinished(limits: Limits | None = None, most: int = MUCH) -> UnfinishedHead:
    return UnfinishedHead(limits or Limits(), HeadBudget(most))


def test_what_is_taken_is_forgotten() -> None:
    head = unfinished()
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
        head = unfinished()
        if size:
            assert head.end_in(b"xx" + HEAD[:size], 2) == 0
            head.add(HEAD[:size])
        data = b"xx" + HEAD[size:] + behind
        assert head.end_in(data, 2) == 2 + len(HEAD) - size
        assert head.finish(HEAD[size:]) == HEAD


def test_an_end_in_single_bytes_is_found() -> None:
    head = unfinished()
    for at in range(len(HEAD) - 1):
        assert head.end_in(HEAD[at : at + 1], 0) == 0
        head.add(HEAD[at : at + 1])
    assert head.end_in(HEAD[-1:], 0) == 1


def test_more_than_any_accepted_head_is_malformed() -> None:
    head = unfinished(Limits(target=10, field_section=10))
    head.add(b"GET /" + b"a" * 1039)
    with pytest.raises(MalformedHeadError):
        head.add(b"a")
    # Its beginning has the Origin for the answer.
    assert head.take() == b"GET /" + b"a" * 1040


@pytest.mark.parametrize(
    "begun",
    [
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\nH",
        b"GET / HTTP/1.1\rH",
        HEAD[:16] + b"A b: c",
        HEAD[:16] + b" folded",
        HEAD[:16] + b"A: b\nC",
        b"a" * 40,
        b" ",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_what_cannot_be_a_head_is_noticed_before_it_ends(begun: bytes, size: int) -> None:
    head = unfinished()
    noticed = 0
    for at in range(0, len(begun), size):
        try:
            head.add(begun[at : at + size])
        except MalformedHeadError:
            noticed += 1
    assert noticed


@pytest.mark.parametrize("begun", [b"GET /", HEAD[:16] + b"X: "])
def test_a_head_in_small_pieces_costs_little_more_than_whole(begun: bytes) -> None:
    head = unfinished()
    head.add(begun)
    before = time.process_time()
    for _ in range(30_000):
        head.add(b"a")
    # Looking at all of a line for each piece took ten seconds.
    assert time.process_time() - before < 2


def test_all_heads_together_have_a_bound_and_the_newest_is_refused() -> None:
    budget = HeadBudget(100)
    heads = [UnfinishedHead(Limits(), budget) for _ in range(3)]
    for head in heads[:2]:
        head.add(b"GET /" + b"a" * 40)
    with pytest.raises(HeadsFullError):
        heads[2].add(b"GET /" + b"a" * 40)
    assert budget.left == 0
    # What was kept comes back, of the refused one, too.
    assert [len(head.take()) for head in heads] == [45, 45, 10]
    assert budget.left == 100
