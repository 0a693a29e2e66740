"""What was refused, and how often."""

from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.recent_refusals import Refusals

ORIGIN = b"http://localhost:5173"
REFUSED = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, "shop", subject=ORIGIN.decode())


def test_the_same_is_counted_together_and_another_origin_apart() -> None:
    refusals = Refusals()
    assert [refusals.count(REFUSED, ORIGIN) for _ in range(3)] == [1, 2, 3]
    assert refusals.count(REFUSED, b"null") == 1
    assert refusals.count(REFUSED._replace(route="auth"), ORIGIN) == 1
    assert refusals.count(REFUSED, ORIGIN) == 4


def test_the_last_one_is_the_one_that_came_last() -> None:
    refusals = Refusals()
    other = REFUSED._replace(route="auth")
    for verdict in (REFUSED, other, REFUSED):
        refusals.count(verdict, ORIGIN)
    assert list(refusals.latest()) == [REFUSED, other]


def test_what_was_before_is_forgotten() -> None:
    refusals = Refusals()
    refusals.count(REFUSED, ORIGIN)
    refusals.forget()
    assert list(refusals.latest()) == []
    assert refusals.count(REFUSED, ORIGIN) == 1


def test_neither_their_number_nor_their_length_is_a_clients_to_choose() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.count(REFUSED._replace(subject=f"http://{number}.test"), ORIGIN)
    assert len(list(refusals.latest())) < 1000
    assert refusals.count(REFUSED, b"x" * 10_000) == 1
    assert refusals.count(REFUSED, b"x" * 9_000) == 2
