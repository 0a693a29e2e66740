"""shell/upstream/request_limit.py: which request may be sent now, and which waits."""

import asyncio

import pytest

from corsproxy.core.policy import Limits
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.upstream.request_limit import RequestLimit, WaitingRoom
from tests.peers import until


async def enter(turns: RequestLimit, limits: Limits) -> None:
    if not turns.enter(limits):
        await turns.queue(limits)


async def test_turns_are_given_up_to_the_limit() -> None:
    turns, limits = RequestLimit(), Limits(in_flight=2, queue_timeout=0)
    await enter(turns, limits)
    await enter(turns, limits)
    with pytest.raises(UpstreamError) as caught:
        await enter(turns, limits)
    assert caught.value.fault is UpstreamFault.BUSY
    turns.leave()
    await enter(turns, limits)
    assert (turns.in_flight, turns.waiting) == (2, 0)


async def test_the_longest_waiting_request_is_next() -> None:
    turns, limits = RequestLimit(), Limits(in_flight=1)
    order: list[int] = []

    async def one(number: int) -> None:
        await enter(turns, limits)
        order.append(number)

    await enter(turns, limits)
    waiting = [asyncio.ensure_future(one(number)) for number in range(4)]
    await until(lambda: turns.waiting == 4)
    waiting[1].cancel()
    for number in (0, 2, 3):
        turns.leave()
        await waiting[number]
    assert order == [0, 2, 3]
    turns.leave()
    assert (turns.in_flight, turns.waiting) == (0, 0)


async def test_requests_do_not_overtake_each_other() -> None:
    turns, limits = RequestLimit(), Limits(in_flight=1, queue_timeout=1)
    await enter(turns, limits)
    waiting = asyncio.ensure_future(enter(turns, limits))
    await until(lambda: turns.waiting == 1)
    turns.leave()
    with pytest.raises(UpstreamError):
        await enter(turns, Limits(in_flight=1, queue_timeout=0))
    await waiting


async def test_a_turn_that_comes_while_its_waiter_is_cancelled_is_passed_on() -> None:
    turns, limits = RequestLimit(), Limits(in_flight=1)
    await enter(turns, limits)
    first = asyncio.ensure_future(enter(turns, limits))
    second = asyncio.ensure_future(enter(turns, limits))
    await until(lambda: turns.waiting == 2)
    turns.leave()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert turns.in_flight == 1


async def test_a_limit_that_a_reload_raises_lets_more_in() -> None:
    turns = RequestLimit()
    await enter(turns, Limits(in_flight=1))
    waiting = asyncio.ensure_future(enter(turns, Limits(in_flight=1)))
    await until(lambda: turns.waiting == 1)
    raised = asyncio.ensure_future(enter(turns, Limits(in_flight=3)))
    await asyncio.gather(waiting, raised)
    assert turns.in_flight == 3


def test_waiting_heads_are_limited_with_overhead_per_field() -> None:
    room = WaitingRoom(1000)
    large = room.enter([(b"X", b"a" * 600)])
    for fields in ([(b"X", b"a" * 600)], [(b"X", b"")] * 2):
        with pytest.raises(UpstreamError) as caught:
            room.enter(fields)
        assert caught.value.fault is UpstreamFault.BUSY
    room.leave(large)
    room.leave(room.enter([(b"X", b"")] * 2))
    assert room.enter([(b"X", b"a" * 839)]) == 1000
