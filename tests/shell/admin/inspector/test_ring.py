import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.admin.inspector.exchanges import Direction, Exchange, Message
from corsproxy.shell.admin.inspector.ring import PAIRING_SECONDS, Ring
from tests.inspecting import captured, preflight, ring_of


def test_a_preflight_and_its_call_are_one_row() -> None:
    first, call = preflight("PUT"), captured("PUT")
    ring = ring_of(first, call)
    (row,) = ring.since(0)
    assert (row.preflight, row.call, row.main) == (first, call, call)
    assert row.exchanges == [first, call]


@pytest.mark.parametrize(
    "call",
    [
        captured("DELETE"),
        captured("PUT", b"/v1/others"),
        captured("PUT", origin="http://localhost:3000"),
    ],
    ids=["method", "target", "origin"],
)
def test_different_requests_do_not_pair(call: Exchange) -> None:
    ring = ring_of(preflight("PUT"))
    ring.add(call)
    assert len(ring.since(0)) == 2


def test_calls_pair_with_preflights_in_their_order() -> None:
    ring = ring_of(preflight("PUT"), preflight("PUT"), captured("PUT"), captured("PUT"))
    assert [row.call is not None for row in ring.since(0)] == [True, True]


def test_a_call_long_after_the_preflight_is_a_row_of_its_own() -> None:
    first, call = preflight("PUT"), captured("PUT")
    call.clock = first.clock + PAIRING_SECONDS + 1
    assert len(ring_of(first, call).since(0)) == 2


def test_a_refused_preflight_waits_for_no_call() -> None:
    ring = ring_of(preflight("PUT", origin="https://evil.example"))
    ring.add(captured("PUT", origin="https://evil.example"))
    assert len(ring.since(0)) == 2


def test_ids_grow_and_the_oldest_go() -> None:
    ring = Ring("epoch", most=5)
    ring.follow()
    for _ in range(7):
        ring.add(captured())
    assert [row.id for row in ring.since(0)] == [3, 4, 5, 6, 7]
    assert (ring.oldest, len(ring)) == (3, 5)
    assert ring.get(2) is None


def test_without_followers_exchanges_wait_for_their_rows() -> None:
    exchanges = [captured() for _ in range(7)]
    ring = ring_of(*exchanges, most=5)
    assert [exchange.row > 0 for exchange in exchanges] == [False] * 7
    assert [row.main for row in ring.since(0)] == exchanges[2:]
    assert [exchange.row for exchange in exchanges] == [0, 0, 1, 2, 3, 4, 5]


def test_a_reader_gets_the_changes_after_its_last() -> None:
    one, other = captured(), captured(target=b"/b")
    ring = ring_of(one, other)
    ring.settle()
    seen = ring.change
    assert ring.since(seen) == []
    ring.changed(one)
    assert [row.id for row in ring.since(seen)] == [one.row]


def test_followers_are_woken() -> None:
    ring = Ring("epoch")
    follower = ring.follow()
    ring.add(captured())
    assert follower.is_set()
    follower.clear()
    ring.unfollow(follower)
    ring.add(captured())
    assert not follower.is_set()


def test_clearing_leaves_nothing_and_no_pair_behind() -> None:
    ring = ring_of(preflight("PUT"), captured(content=b"x" * 100))
    ring.clear()
    assert (len(ring), ring.since(0), ring.cleared_at) == (0, [], 2)
    ring.add(captured("PUT"))
    assert [row.preflight for row in ring.since(0)] == [None]
    assert ring.oldest == 3


def grow(ring: Ring, size: int) -> object:
    exchange = captured()
    ring.add(exchange)
    ring.grew(exchange, exchange.answer_body.add(b"x" * size))
    return exchange


def test_bodies_keep_their_beginning_only() -> None:
    exchange = captured()
    kept = [exchange.answer_body.add(b"x" * 10_000) for _ in range(3)]
    assert kept == [10_000, 6_384, 0]
    assert (exchange.answer_body.size, exchange.answer_body.is_whole) == (30_000, False)


def test_the_oldest_bodies_are_dropped_and_their_rows_stay() -> None:
    ring = Ring("epoch", most_body_bytes=1000)
    for _ in range(5):
        grow(ring, 300)
    kept = [row.main.answer_body.is_let_go for row in ring.since(0)]
    assert kept == [True, True, False, False, False]
    assert ring.body_bytes == 900


def test_heads_have_a_budget_too() -> None:
    ring = Ring("epoch", most_head_bytes=100_000)
    for _ in range(10):
        ring.add(captured(fields=[(b"X-Large", b"x" * 30_000)]))
    assert len(ring) == 3


def test_messages_count_and_only_the_last_are_kept() -> None:
    ring, exchange = Ring("epoch"), captured()
    ring.add(exchange)
    for number in range(300):
        message = Message(0.0, Direction.TO_CLIENT, "text", b"%1000d" % number, 1000)
        ring.grew(exchange, exchange.note(message))
    assert ring.body_bytes == 100 * 1000
    assert exchange.messages[0].data.strip() == b"200"


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("apcgmx"), st.integers(0, 5000), st.integers(0, 9)), max_size=60
)


@given(OPERATIONS, st.booleans())
def test_the_budget_holds_for_any_traffic(
    operations: Sequence[tuple[str, int, int]], followed: bool
) -> None:
    ring = Ring("epoch", most=8, most_body_bytes=20_000, most_head_bytes=20_000)
    if followed:
        ring.follow()
    known = [captured()]
    for what, size, which in operations:
        exchange = known[which % len(known)]
        match what:
            case "a":
                known.append(captured(fields=[(b"X-Large", b"x" * size)]))
                ring.add(known[-1])
            case "p":
                known.append(preflight("PUT"))
                ring.add(known[-1])
            case "c":
                known.append(captured("PUT"))
                ring.add(known[-1])
            case "g":
                ring.grew(exchange, exchange.answer_body.add(b"x" * size) if exchange.row else 0)
            case "m" if exchange.row:
                message = Message(0.0, Direction.TO_CLIENT, "text", b"x" * (size % 1024), size)
                ring.grew(exchange, exchange.note(message))
            case "x" if not size % 7:
                ring.clear()
            case _:
                ring.changed(exchange)
        if followed:
            check(ring)
    check(ring)


def check(ring: Ring) -> None:
    held = [each for row in ring.since(0) for each in row.exchanges]
    assert len(held) == len(ring) <= 8 + 1
    assert ring.body_bytes == sum(each.kept_bytes for each in held) <= 20_000
    assert len(held) <= 1 or sum(each.head_bytes for each in held) <= 20_000 + 6_000


def test_more_exchanges_take_no_more_memory() -> None:
    ring = Ring("epoch")

    def fill(number: int) -> int:
        for _ in range(number):
            exchange = captured(fields=[(b"X-Some", b"x" * 200)])
            ring.add(exchange)
            ring.grew(exchange, exchange.answer_body.add(b"y" * 20_000))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = fill(1_000)
        later = fill(2_000)
    finally:
        tracemalloc.stop()
    assert first < 16 * 1024 * 1024
    assert later < first + 512 * 1024
