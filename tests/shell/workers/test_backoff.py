"""Pauses grow while a process keeps ending."""

from corsproxy.shell.workers.backoff import Backoff


def test_each_pause_is_twice_the_last_up_to_half_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_life_resets_the_pause() -> None:
    backoff = Backoff()
    pauses = [backoff.after(alive) for alive in (1, 1, 59.9, 60, 1)]
    assert pauses == [0.5, 1, 2, 0.5, 1]
