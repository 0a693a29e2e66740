"""The refusals that are kept for the user at the terminal."""

from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.source import Source
from corsproxy.shell.feed.recent_refusals import AdviceCounts, Refusals

AT = Source("corsproxy.yaml", 3, 3)
METHOD = (Remedy("allow_methods", "PURGE", AT),)
BOTH = (*METHOD, Remedy("allow_headers", "x-a, x-b", AT))
ORIGIN = b"http://localhost:5173"


def test_the_latest_refusal_comes_first() -> None:
    refusals = Refusals()
    for remedies in (METHOD, BOTH, METHOD):
        refusals.note(remedies, ORIGIN)
    refusals.note(BOTH, b"null")
    assert list(refusals.latest()) == [(BOTH, b"null"), (METHOD, ORIGIN), (BOTH, ORIGIN)]


def test_old_refusals_are_forgotten() -> None:
    refusals = Refusals()
    refusals.note(METHOD, ORIGIN)
    refusals.forget()
    assert list(refusals.latest()) == []


def test_clients_cannot_make_it_grow() -> None:
    refusals = Refusals()
    for number in range(1000):
        refusals.note(METHOD, b"http://%d.test" % number)
    assert len(list(refusals.latest())) < 100
    refusals.note(METHOD, b"x" * 10_000)
    assert len(next(refusals.latest()).origin) < 1000


def test_the_same_advice_is_counted_together() -> None:
    told = AdviceCounts()
    assert [told.count("refused", subject) for subject in ("a", "a", "b")] == [1, 2, 1]
    assert [told.count("refused", "x" * length) for length in (9_000, 10_000)] == [1, 2]
    told.forget()
    assert told.count("refused", "a") == 1
