"""shell/streams/eager_task.py: a coroutine that runs on inside of the callback it waits for."""

import asyncio
from collections.abc import Coroutine

import pytest

from corsproxy.shell.streams.eager_task import EagerTask, Wakeup


def started(coroutine: Coroutine[object, None, None]) -> EagerTask:
    task = EagerTask(coroutine, asyncio.get_running_loop())
    task.step()
    return task


async def noting(told: list[str], signal: Wakeup) -> None:
    told.append("begins")
    try:
        await signal
        told.append("runs on")
    finally:
        told.append("ends")


async def test_a_signal_lets_it_run_on_before_the_giver_does() -> None:
    told: list[str] = []
    signal = Wakeup()
    task = started(noting(told, signal))
    assert told == ["begins"]
    signal.set()
    assert told == ["begins", "runs on", "ends"]
    assert task.is_done


async def test_a_signal_that_nobody_awaits_is_forgotten() -> None:
    told: list[str] = []
    signal = Wakeup()
    signal.set()
    started(noting(told, signal))
    assert told == ["begins"]


async def test_a_task_of_asyncio_can_wait_for_a_signal_too() -> None:
    told: list[str] = []
    signal = Wakeup()
    task = asyncio.ensure_future(noting(told, signal))
    await asyncio.sleep(0)
    signal.set()
    signal.set()
    await task
    assert told == ["begins", "runs on", "ends"]


async def test_a_future_of_asyncio_can_be_awaited() -> None:
    told: list[str] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def steps() -> None:
        told.append(await future)
        await asyncio.sleep(0)
        told.append("later")

    task = started(steps())
    future.set_result("result")
    assert not told
    for _ in range(4):
        await asyncio.sleep(0)
    assert told == ["result", "later"]
    assert task.is_done


async def test_one_that_starts_another_goes_on_behind_it() -> None:
    told: list[str] = []
    one, other = Wakeup(), Wakeup()

    async def first() -> None:
        await one
        other.set()
        told.append("first")

    async def second() -> None:
        await other
        told.append("second")

    started(first())
    started(second())
    one.set()
    assert told == ["second", "first"]


@pytest.mark.parametrize("early", [True, False], ids=["before its turn", "once"])
async def test_a_cancelled_wait_for_a_signal_ends_in_the_next_turn(early: bool) -> None:
    told: list[str] = []
    signal = Wakeup()
    task = started(noting(told, signal))
    task.cancel()
    if early:
        task.cancel()
        signal.set()
    assert told == ["begins"]
    await asyncio.sleep(0)
    assert told == ["begins", "ends"]
    assert task.is_done
    task.cancel()
    task.step()


async def test_a_cancelled_wait_for_a_future_cancels_it() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def steps() -> None:
        await future

    task = started(steps())
    task.cancel()
    await asyncio.sleep(0)
    assert future.cancelled()
    assert task.is_done


async def test_cancelling_is_not_lost_where_the_future_is_done_already() -> None:
    told: list[str] = []
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def steps() -> None:
        try:
            await future
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    task = started(steps())
    future.set_result(None)
    task.cancel()
    await asyncio.sleep(0)
    assert told == ["cancelled"]
    assert task.is_done


async def test_one_that_is_cancelled_by_its_own_step_ends_where_it_waits_next() -> None:
    told: list[str] = []
    tasks: list[EagerTask] = []

    async def steps() -> None:
        tasks[0].cancel()
        told.append("runs to the wait")
        await Wakeup()

    tasks.append(EagerTask(steps(), asyncio.get_running_loop()))
    tasks[0].step()
    assert not tasks[0].is_done
    await asyncio.sleep(0)
    assert told == ["runs to the wait"]
    assert tasks[0].is_done


async def test_a_fault_is_told_to_the_loop() -> None:
    told: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    async def steps() -> None:
        raise KeyError("planted")

    task = started(steps())
    assert task.is_done
    assert [type(each) for each in told] == [KeyError]
