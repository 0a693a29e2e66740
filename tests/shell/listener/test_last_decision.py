"""shell/listener/last_decision.py: the same request under the same policy is decided once."""

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward
from corsproxy.shell.listener.last_decision import LastDecision
from tests.policies import PAGE, policy, request, rules


def test_a_request_is_decided_once_for_as_long_as_it_is_the_last() -> None:
    decisions, own = LastDecision(), policy()
    page, stranger = request(origin=PAGE), request(origin="http://x.example")
    first = decisions.decide(own, page)
    assert decisions.decide(own, page) is first
    assert isinstance(first, Forward)
    assert isinstance(decisions.decide(own, stranger), Answer)
    assert decisions.decide(own, page) is not first


def test_an_equal_request_is_another_and_so_is_an_equal_policy() -> None:
    decisions, asked = LastDecision(), request(origin=PAGE)
    first = decisions.decide(policy(), asked)
    assert isinstance(first, Forward)
    again = decisions.decide(policy(), request(origin=PAGE))
    assert isinstance(again, Forward)
    assert again.received is not first.received


def test_what_a_reload_forbids_is_refused_at_once() -> None:
    decisions, asked = LastDecision(), request(origin=PAGE)
    assert isinstance(decisions.decide(policy(), asked), Forward)
    other = policy(default=rules("http://x.example"))
    assert isinstance(decisions.decide(other, asked), Answer)
