"""shell/streams/body_buffer.py: bytes that wait to be taken."""

import asyncio

import pytest

from corsproxy.shell.streams.body_buffer import HIGH_WATER, NO_CONTENT, BodyBuffer
from corsproxy.shell.streams.eager_task import EagerTask


class Valve:
    """A tap that remembers whether it is open."""

    def __init__(self) -> None:
        self.open = True

    def pause_reading(self) -> None:
        self.open = False

    def resume_reading(self) -> None:
        self.open = True


def test_pieces_are_taken_together() -> None:
    intake = BodyBuffer(Valve())
    intake.put(b"one")
    intake.put(b"two")
    assert intake.take() == b"onetwo"
    assert intake.take() == b""
    assert not intake.at_end


def test_the_end_is_reached_when_all_is_taken() -> None:
    intake = BodyBuffer(Valve())
    intake.put(b"one")
    intake.end()
    assert not intake.at_end
    assert intake.take() == b"one"
    assert intake.at_end


def test_too_much_holds_the_tap_until_it_is_taken() -> None:
    valve = Valve()
    intake = BodyBuffer(valve)
    intake.put(b"x" * (HIGH_WATER - 100))
    intake.wake()
    before = valve.open
    intake.put(b"x" * 100)
    intake.wake()
    above = valve.open
    assert len(intake.take()) == HIGH_WATER
    assert (before, above, valve.open) == (True, False, True)


def test_small_pieces_count_for_the_memory_they_take() -> None:
    valve = Valve()
    intake = BodyBuffer(valve)
    for _ in range(HIGH_WATER // 50):
        intake.put(b"x")
    intake.wake()
    assert not valve.open


async def test_what_the_reader_takes_at_once_holds_nothing() -> None:
    valve = Valve()
    intake = BodyBuffer(valve)
    held: list[bool] = []

    async def read() -> None:
        while await intake.read():
            held.append(not valve.open)

    task = EagerTask(read(), asyncio.get_running_loop())
    task.step()
    for _ in range(3):
        intake.put(b"x" * 2 * HIGH_WATER)
        intake.wake()
        held.append(not valve.open)
    assert held == [False] * 6
    intake.end()
    intake.wake()
    assert task.is_done


async def test_a_reader_that_is_busy_with_what_it_took_holds_the_tap() -> None:
    valve = Valve()
    intake = BodyBuffer(valve)
    slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def read() -> None:
        await intake.read()
        await slow
        await intake.read()

    task = EagerTask(read(), asyncio.get_running_loop())
    task.step()
    before = valve.open
    intake.put(b"x")
    intake.wake()
    busy = valve.open
    slow.set_result(None)
    await asyncio.sleep(0)
    assert (before, busy, valve.open) == (True, False, True)
    task.cancel()


async def test_what_is_lent_is_copied_where_it_must_wait() -> None:
    intake = BodyBuffer(Valve())
    buffer = bytearray(b"first")
    intake.put(memoryview(buffer))
    intake.wake()
    buffer[:] = b"other"
    assert await intake.read() == b"first"


async def test_what_is_lent_is_passed_on_as_it_is_to_a_reader_that_waits() -> None:
    intake = BodyBuffer(Valve())
    lent = memoryview(b"content")
    got: list[object] = []

    async def read() -> None:
        got.append(await intake.read())

    EagerTask(read(), asyncio.get_running_loop()).step()
    intake.put(lent)
    intake.wake()
    assert got[0] is lent


def test_what_is_taken_is_the_takers_own() -> None:
    intake = BodyBuffer(Valve())
    intake.put(memoryview(b"content"))
    assert type(intake.take()) is bytes


async def test_a_reader_waits_for_bytes_the_end_or_a_failure() -> None:
    intakes = [BodyBuffer(Valve()) for _ in range(3)]
    readings = [asyncio.ensure_future(intake.read()) for intake in intakes]
    done, _ = await asyncio.wait(readings, timeout=0)
    assert not done
    intakes[0].put(b"x")
    intakes[1].end()
    intakes[2].fail(ConnectionResetError())
    for intake in intakes:
        intake.wake()
    assert [await readings[0], await readings[1]] == [b"x", b""]
    with pytest.raises(ConnectionResetError):
        await readings[2]


async def test_what_came_before_a_failure_is_read_first() -> None:
    intake = BodyBuffer(Valve())
    intake.put(b"x")
    intake.fail(ConnectionResetError())
    assert await intake.read() == b"x"
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await intake.read()
    assert not intake.at_end


async def test_a_failure_after_the_end_changes_nothing() -> None:
    intake = BodyBuffer(Valve())
    intake.end()
    intake.fail(ConnectionResetError())
    assert intake.at_end
    assert await intake.read() == b""


def test_no_content_is_at_its_end() -> None:
    assert (NO_CONTENT.has_ended, NO_CONTENT.at_end, NO_CONTENT.take()) == (True, True, b"")


def test_what_comes_behind_a_failure_is_kept_by_nobody() -> None:
    content = BodyBuffer(None)
    content.put(b"one")
    content.fail(ConnectionError())
    content.put(b"two")
    assert (content.take(), content.received) == (b"one", 3)
