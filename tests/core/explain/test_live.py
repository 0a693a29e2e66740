"""What a browser would make of a deployment's answers."""

import pytest

from corsproxy.core.explain.live import Asking, Judgement, call_live, lacks_vary
from corsproxy.core.messages import Field, ResponseHead
from corsproxy.core.page_call import PageCall

PAGE = "https://app.example.com"
GRANT = (b"Access-Control-Allow-Origin", PAGE.encode())
PUT = (b"Access-Control-Allow-Methods", b"PUT")
VARY = (b"vary", b"accept-encoding, origin")


def judged(call: PageCall, *answers: ResponseHead) -> tuple[list[Asking], Judgement]:
    dialogue, asked = call_live(call), []
    asked.append(next(dialogue))
    for answer in answers:
        try:
            asked.append(dialogue.send(answer))
        except StopIteration as end:
            judgement: Judgement = end.value
            return asked, judgement
    raise AssertionError("more answers are wanted")


def head(*fields: Field, status: int = 200) -> ResponseHead:
    return ResponseHead(status, b"", list(fields))


def test_a_simple_call_is_made_and_judged() -> None:
    asked, judgement = judged(PageCall(PAGE, "/a"), head(GRANT, VARY))
    assert asked == [Asking("GET", "/a", [(b"Origin", PAGE.encode())])]
    assert judgement == Judgement(None, "GET", 200, PAGE, True)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_what_may_change_something_is_judged_by_its_preflight(method: str) -> None:
    allowed = (b"Access-Control-Allow-Methods", method.encode())
    asked, judgement = judged(PageCall(PAGE, "/a", method), head(GRANT, allowed, status=204))
    assert [each.method for each in asked] == ["OPTIONS"]
    assert (judgement.allowed, judgement.by) == (True, "preflight")


def test_a_refused_preflight_ends_it() -> None:
    call = PageCall(PAGE, "/a", headers=("x-a",))
    asked, judgement = judged(call, head(GRANT, PUT, status=404))
    assert [each.method for each in asked] == ["OPTIONS"]
    assert judgement.obstacle is not None
    assert judgement.obstacle.error == "PreflightInvalidStatus"


def test_an_error_without_a_grant_is_not_readable() -> None:
    _, judgement = judged(PageCall(PAGE, "/a"), head(status=500))
    assert not judgement.allowed


def answered(grant: str | None, *, varies: bool) -> Judgement:
    return Judgement(None, "GET", 200, grant, varies)


def test_a_grant_that_depends_on_the_origin_must_say_so() -> None:
    granted, bare = answered(PAGE, varies=False), answered(None, varies=True)
    assert lacks_vary(granted, bare) == granted
    assert lacks_vary(bare, granted) == granted
    assert lacks_vary(answered(PAGE, varies=True), bare) is None


def test_a_constant_grant_need_not() -> None:
    assert lacks_vary(answered("*", varies=False), answered("*", varies=False)) is None


@pytest.mark.parametrize(
    ("fields", "status", "varies"),
    [
        ((GRANT,), 200, False),
        ((GRANT, VARY), 200, True),
        ((GRANT, (b"Vary", b"*")), 200, True),
        ((GRANT,), 403, True),
    ],
)
def test_caches_need_vary_on_what_they_may_keep(
    fields: tuple[Field, ...], status: int, varies: bool
) -> None:
    _, judgement = judged(PageCall(PAGE, "/a"), head(*fields, status=status))
    assert judgement.varies is varies
