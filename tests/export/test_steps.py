"""The unrolled decision."""

from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import CorsRules, Listed
from corsproxy.export.steps import (
    Asker,
    Echo,
    actual_grant,
    allow_methods,
    preflight_steps,
    refusal,
    steps,
)

LISTED = OriginSet([parse_origin_pattern("https://app.example.com")])
ANYBODY = OriginSet([parse_origin_pattern("*")])


def test_a_list_that_blocks() -> None:
    found = steps(CorsRules(LISTED, max_age=5))
    assert [(step.asker, step.preflight, step.status) for step in found] == [
        (Asker.ALLOWED, True, 204),
        (Asker.ALLOWED, True, 204),
        (Asker.REST, True, 403),
        (Asker.ALLOWED, False, None),
        (Asker.ABSENT, False, None),
        (Asker.SAME, False, None),
        (Asker.REST, False, 403),
    ]
    assert [step.fits for step in found[:2]] == [True, False]
    assert ("Access-Control-Max-Age", "5") in found[0].fields


def test_a_forwarding_list_still_refuses_handshakes() -> None:
    refused, forwarded = steps(CorsRules(LISTED, unlisted_origins="forward"))[-2:]
    assert (refused.upgrade, refused.status) == (True, 403)
    assert (forwarded.status, forwarded.vouched, forwarded.fields) == (None, False, ())


def test_anybody_gets_a_constant_grant_that_does_not_vary() -> None:
    found = steps(CorsRules(ANYBODY))
    assert [step.asker for step in found] == [Asker.REST, Asker.ABSENT, Asker.REST]
    assert {step.vary for step in found} == {""}
    assert preflight_steps(CorsRules(ANYBODY)) == found[:-2]


def test_every_method_is_spelt_out() -> None:
    value = allow_methods(CorsRules(LISTED, methods=Listed((), any=True)))
    assert "PATCH, POST" in value
    assert "*" not in value


def test_allowed_pages_can_read_a_refusal() -> None:
    allowed, rest = refusal(CorsRules(LISTED, credentials=True), 421)
    assert allowed.fields[0] == ("Access-Control-Allow-Origin", Echo.ORIGIN)
    assert (rest.status, rest.fields, rest.vary) == (421, (), "Origin")
    assert len(refusal(CorsRules(ANYBODY), 400)) == 1


def test_what_is_exposed() -> None:
    everything = CorsRules(LISTED, expose_headers=Listed((), any=True))
    assert actual_grant(everything)[-1] == ("Access-Control-Expose-Headers", Echo.PRESENT)
