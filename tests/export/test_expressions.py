"""Expressions that mean what the policy means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import CorsRules, Listed
from corsproxy.export import expressions
from tests.export.policies import entries, look_alikes


@given(entries(), st.data())
def test_an_entry_allows_as_an_expression_what_it_allows(entry: str, data: st.DataObject) -> None:
    origin = data.draw(st.sampled_from([*look_alikes(entry), entry]))
    allowed = OriginSet([parse_origin_pattern(entry)]).match(origin.encode()) is not None
    expression = expressions.origin(parse_origin_pattern(entry))
    assert (re.fullmatch(expression, origin) is not None) == allowed


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_any_port_is_every_port_that_browsers_write(scheme: str) -> None:
    pattern = parse_origin_pattern(f"{scheme}://localhost:*")
    expression = re.compile(expressions.origin(pattern))
    allowed = OriginSet([pattern])
    for port in range(70_000):
        origin = f"{scheme}://localhost:{port}"
        assert (expression.fullmatch(origin) is not None) == (
            allowed.match(origin.encode()) is not None
        )


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("", True),
        ("x-a", True),
        ("X-A, content-type", True),
        (",x-a,,\tx-a ,", True),
        ("range", True),
        ("x-b", False),
        ("x-a x-a", False),
        ("x-ab", False),
        ("x-a,bad name", False),
    ],
)
def test_headers_that_are_asked_for(asked: str, fits: bool) -> None:
    rules = CorsRules(OriginSet(()), request_headers=Listed(("x-a", "content-type")))
    expression = expressions.allowed_headers(rules)
    assert (re.fullmatch(expression, asked, re.IGNORECASE) is not None) == fits


def test_methods_are_compared_whole() -> None:
    rules = CorsRules(OriginSet(()), methods=Listed(("M-SEARCH", "PUT")))
    expression = expressions.allowed_methods(rules)
    named = [name for name in ("PUT", "PUTS", "put", "GET", "M-SEARCH") if
             re.fullmatch(expression, name)]  # fmt: skip
    assert named == ["PUT", "GET", "M-SEARCH"]
    assert re.fullmatch(expressions.forwarded_methods(), "TRACE") is None


@pytest.mark.parametrize("text", ["a.b", "(x)[y]{z}", "a+b*c?", "^$|\\"])
def test_a_literal_matches_itself_alone(text: str) -> None:
    assert re.fullmatch(expressions.literal(text), text)
    assert not re.fullmatch(expressions.literal(text), f"{text}x")
