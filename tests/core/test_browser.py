"""The browser's half, against a model of it that was written apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.browser import Obstacle, check_preflight, check_response
from corsproxy.core.messages import Field, ResponseHead
from corsproxy.core.page_call import PageCall
from tests.browser import model
from tests.policies import PAGE

ORIGINS = (PAGE, "null", "https://app.example.com")
NAMES = ("access-control-allow-origin", "Access-Control-Allow-Credentials",
         "Access-Control-Allow-Methods", "access-control-ALLOW-headers", "Vary")  # fmt: skip
VALUES = (
    *ORIGINS, "*", "", " ", "true", "TRUE", "false", f"{PAGE}/", PAGE.upper(), f"{PAGE}, *",
    f"{PAGE} *", "nonsense", "://", "x://", "PUT", "put, DELETE", "patch", "*, PUT", "GET,,PUT",
    "x-a", "X-A , x-b", "authorization", "*, authorization", "a b", "é", "x;y", "é://x",
)  # fmt: skip

fields = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(
        lambda line: (line[0].encode(), line[1].encode("latin-1"))
    ),
    max_size=6,
)
calls = st.builds(
    PageCall,
    origin=st.sampled_from(ORIGINS),
    target=st.just("/"),
    method=st.sampled_from(["GET", "post", "put", "DELETE", "PATCH", "patch"]),
    headers=st.lists(st.sampled_from(["X-A", "x-b", "Authorization"]), max_size=3).map(tuple),
    credentials=st.booleans(),
    same_origin=st.just(False),
)
# A redirected preflight has no step of its own in the standard: it is an error in the
# response's type, which the model does not have.
statuses = st.sampled_from([200, 204, 299, 199, 304, 400, 401, 404, 500])


def modelled(call: PageCall) -> model.Request:
    headers = tuple((name, "1") for name in call.headers)
    return model.Request(call.origin, call.method, headers, call.credentials)


def same(ours: Obstacle | None, theirs: model.Blocked | None) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return (ours.error, ours.parameter) == (theirs.error, theirs.parameter)


@given(calls, fields)
def test_a_response_is_judged_as_the_model_judges_it(call: PageCall, lines: list[Field]) -> None:
    ours = check_response(call, ResponseHead(200, b"", lines))
    assert same(ours, model.cors_check(modelled(call), lines))


@given(calls, fields, statuses)
def test_a_preflight_is_judged_as_the_model_judges_it(
    call: PageCall, lines: list[Field], status: int
) -> None:
    ours = check_preflight(call, ResponseHead(status, b"", lines))
    assert same(ours, model.preflight_check(modelled(call), status, lines))


@given(calls)
def test_the_model_makes_the_same_requests(call: PageCall) -> None:
    request = modelled(call)
    assert call.needs_preflight == model.needs_preflight(request)
    assert call.preflight_fields == model.preflight_fields(request)[1:]


TWO = f"{PAGE}, {PAGE}"
ALLOWED = (b"Access-Control-Allow-Origin", PAGE.encode())


@pytest.mark.parametrize(
    ("lines", "credentials", "sentence"),
    [
        ([], False, "it has no Access-Control-Allow-Origin"),
        (
            [(b"Access-Control-Allow-Origin", b"*")],
            True,
            "its Access-Control-Allow-Origin is *, which never goes with credentials",
        ),
        (
            [ALLOWED, ALLOWED],
            False,
            f"Access-Control-Allow-Origin is there 2 times ({TWO}); browsers take one value",
        ),
        (
            [ALLOWED],
            True,
            "its Access-Control-Allow-Credentials is missing, and only true lets them through",
        ),
        (
            [(b"Access-Control-Allow-Origin", b"x" * 500)],
            False,
            f"its Access-Control-Allow-Origin is {'x' * 80}…, not {PAGE}",
        ),
    ],
)
def test_mistakes_are_described_in_words(
    lines: list[Field], credentials: bool, sentence: str
) -> None:
    obstacle = check_response(
        PageCall(PAGE, "/", credentials=credentials), ResponseHead(200, b"", lines)
    )
    assert obstacle is not None
    assert obstacle.sentence == sentence


def test_a_preflight_must_not_be_redirected() -> None:
    obstacle = check_preflight(PageCall(PAGE, "/", "PUT"), ResponseHead(307, b"", [ALLOWED]))
    assert obstacle is not None
    assert obstacle.error == "PreflightDisallowedRedirect"


@pytest.mark.parametrize(
    ("header", "credentials", "why"),
    [
        ("x-a", True, "(with credentials, * is not a wildcard)"),
        ("authorization", False, "Chromium still lets it)"),
    ],
)
def test_what_a_wildcard_does_not_cover_is_explained(
    header: str, credentials: bool, why: str
) -> None:
    lines = [
        ALLOWED,
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Headers", b"*"),
    ]
    call = PageCall(PAGE, "/", headers=(header,), credentials=credentials)
    obstacle = check_preflight(call, ResponseHead(204, b"", lines))
    assert obstacle is not None
    assert obstacle.sentence.endswith(why)
