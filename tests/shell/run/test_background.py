"""A computation in a thread gives way, and restores the settings."""

import gc
import sys
import threading

import pytest

from corsproxy.shell.run.background import SWITCH_SECONDS, in_background


def circumstances() -> tuple[bool, float, bool]:
    """Whether this is a thread of its own, the switch interval, whether garbage is collected."""
    thread = threading.current_thread() is not threading.main_thread()
    return thread, sys.getswitchinterval(), gc.isenabled()


async def test_a_computation_gives_way_to_the_event_loop() -> None:
    before = circumstances()
    in_thread, interval, collects = await in_background(circumstances)
    assert in_thread
    assert interval == pytest.approx(SWITCH_SECONDS)
    assert not collects
    assert circumstances() == before
    assert not before[0]


async def test_a_failure_is_raised_and_restores_the_settings() -> None:
    before = circumstances()
    with pytest.raises(ValueError, match="invalid literal"):
        await in_background(int, "ten")
    assert circumstances() == before


async def test_arguments_are_passed_on() -> None:
    assert await in_background(int, "11", base=2) == 3


async def test_a_disabled_garbage_collector_stays_disabled() -> None:
    gc.disable()
    try:
        await in_background(circumstances)
        assert not gc.isenabled()
    finally:
        gc.enable()
