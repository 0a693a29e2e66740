"""What is concluded from calls that did not come."""

from collections.abc import Iterator

import pytest

from corsproxy.config.learning.observations import Observation
from corsproxy.config.learning.unfollowed import with_unfollowed
from corsproxy.core.page_call import PageCall

PAGE = "http://localhost:5173"


def observed(words: str) -> Iterator[Observation]:
    """`PUT /a?` is a preflight that passed, `PUT /a` a call; times count up."""
    for number, each in enumerate(words.split(", ")):
        method, target = each.split()
        call = PageCall(PAGE, target.rstrip("?"), method)
        yield Observation(call, False, f"t{number}", target.endswith("?"))


@pytest.mark.parametrize(
    ("words", "concluded"),
    [
        ("PUT /a?", {"/a": 1}),
        ("PUT /a?, PUT /a", {}),
        ("PUT /a?, GET /a", {"/a": 1}),
        ("PUT /a?, PUT /a?, PUT /b?", {"/a": 2, "/b": 1}),
        ("PUT /a?, PUT /a?, PUT /a, PUT /a", {}),
        ("PUT /a?, PUT /a, PUT /a?", {}),
        # A page was left; or it fails again and again.
        ("PUT /a?, PUT /a, PUT /b?", {}),
        ("PUT /a?, PUT /a, PUT /b?, PUT /b?", {"/b": 2}),
        ("PUT /a?, PUT /a, DELETE /b?", {"/b": 1}),
    ],
)
def test_conclusions(words: str, concluded: dict[str, int]) -> None:
    given = list(observed(words))
    found = list(with_unfollowed(given))
    assert found[: len(given)] == given
    more = found[len(given) :]
    assert all(each.refused and each.call.credentials for each in more)
    assert {each.call.target: each.unfollowed for each in more} == concluded


def test_a_refused_call_is_no_answer_to_a_preflight() -> None:
    [preflight] = observed("PUT /a?")
    refused = Observation(preflight.call, True, "t")
    assert len(list(with_unfollowed([preflight, refused]))) == 3
