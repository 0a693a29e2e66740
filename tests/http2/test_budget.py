"""What a peer may do at once, and at a pace."""

from corsproxy.http2.budget import Budget


def test_it_allows_a_burst_and_then_a_steady_rate() -> None:
    budget = Budget(10, per_second=2)
    assert all(budget.spend(0.0) for _ in range(10))
    assert not budget.spend(0.0)
    budget = Budget(10, per_second=2)
    assert all(budget.spend(number / 2) for number in range(1000))


def test_it_never_exceeds_its_maximum() -> None:
    budget = Budget(3, per_second=100)
    assert sum(budget.spend(3600.0) for _ in range(10)) == 3


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budget = Budget(2, per_second=1)
    assert budget.spend(10.0)
    assert budget.spend(5.0)
    assert not budget.spend(5.0)


def test_one_spend_may_cost_more() -> None:
    assert not Budget(10, 1).spend(0.0, 11)
