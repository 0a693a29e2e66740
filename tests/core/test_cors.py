"""The server's half of the CORS protocol, rule by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.cors import (
    NO_GRANT,
    Grant,
    add_grant,
    exposable_names,
    judge_origin,
    judge_preflight,
    merge_vary,
)
from corsproxy.core.fields import is_token, split_list
from corsproxy.core.messages import Field
from corsproxy.core.verdicts import Code
from tests.policies import PAGE, listed, rules, values


def test_the_received_bytes_are_granted_never_the_pattern() -> None:
    cors = rules("https://*.example.com")
    judgement = judge_origin(cors, [b"https://a.b.example.com"])
    assert judgement.pattern is cors.origins.patterns[0]
    assert judgement.grant.fields[0] == (
        b"Access-Control-Allow-Origin",
        b"https://a.b.example.com",
    )


@pytest.mark.parametrize(
    "origins", [[], [b""], [b"https://evil.test"], [PAGE.encode(), PAGE.encode()], [b"null"]]
)
def test_no_entry_means_no_grant(origins: list[bytes]) -> None:
    judgement = judge_origin(rules(), origins)
    assert judgement.pattern is None
    assert judgement.grant is NO_GRANT


def test_grant_says_credentials_and_names_to_expose() -> None:
    cors = rules(credentials=True, expose_headers=listed("x-total-count", "etag"))
    assert judge_origin(cors, [PAGE.encode()]).grant.fields[1:] == (
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Expose-Headers", b"x-total-count, etag"),
    )


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST"])
def test_safelisted_methods_need_no_entry(method: bytes) -> None:
    cors = rules(methods=listed("PUT"))
    judgement = judge_preflight(cors, PAGE.encode(), cors.origins.patterns[0], method, [])
    assert judgement.code is Code.ORIGIN_ALLOWED


@pytest.mark.parametrize("method", [b"patch", b"CHANGE", b"trace", b"TRACK"])
def test_an_asterisk_does_not_stand_for_a_method_that_is_never_forwarded(method: bytes) -> None:
    cors = rules(methods=listed("*"))
    judgement = judge_preflight(cors, PAGE.encode(), cors.origins.patterns[0], method, [])
    assert (judgement.code, judgement.subject) == (Code.METHOD_NOT_ALLOWED, method)
    # Else the browser would send it all the same.
    assert method not in split_list(values(judgement.fields, b"Access-Control-Allow-Methods"))


@pytest.mark.parametrize("method", [b"PATCH", b"PROPFIND", b"M-SEARCH"])
def test_every_method_that_is_forwarded_is_allowed_by_an_asterisk(method: bytes) -> None:
    cors = rules(methods=listed("*"))
    judgement = judge_preflight(cors, PAGE.encode(), cors.origins.patterns[0], method, [])
    assert judgement.code is Code.ORIGIN_ALLOWED
    assert values(judgement.fields, b"Access-Control-Allow-Methods") == [method]


@pytest.mark.parametrize("name", [b"accept", b"Accept-Language", b"range", b"content-language"])
def test_headers_safelisted_by_name_need_no_entry(name: bytes) -> None:
    cors = rules(request_headers=listed("x-a"))
    judgement = judge_preflight(cors, PAGE.encode(), cors.origins.patterns[0], b"PUT", [name])
    assert judgement.code is Code.ORIGIN_ALLOWED
    # Else the browser would refuse it all the same.
    granted = values(judgement.fields, b"Access-Control-Allow-Headers")
    assert name.lower() in split_list(granted)


def test_the_place_of_a_refusal_is_the_list_that_lacks_it() -> None:
    cors = rules(methods=listed("PUT", line=6), request_headers=listed("x-a", line=7))
    pattern = cors.origins.patterns[0]
    assert str(judge_preflight(cors, b"o", pattern, b"PATCH", []).at) == "corsproxy.yaml:6:18"
    assert str(judge_preflight(cors, b"o", pattern, b"PUT", [b"x-b"]).at) == "corsproxy.yaml:7:18"


@given(
    requested=st.lists(st.binary(max_size=20), max_size=4),
    method=st.binary(max_size=8),
    everything=st.booleans(),
)
def test_malformed_names_are_never_granted(
    requested: list[bytes], method: bytes, everything: bool
) -> None:
    cors = rules(methods=listed("*"), request_headers=listed("*")) if everything else rules()
    judgement = judge_preflight(cors, PAGE.encode(), cors.origins.patterns[0], method, requested)
    for name in (b"Access-Control-Allow-Methods", b"Access-Control-Allow-Headers"):
        for value in values(judgement.fields, name):
            assert all(is_token(member) for member in split_list([value]))


@given(st.lists(st.text("aeginorOR,* \t", max_size=30).map(str.encode), max_size=3))
def test_vary_keeps_its_members_and_has_origin_once(before: list[bytes]) -> None:
    members = split_list([merge_vary(before)])
    assert all(member in members for member in split_list(before))
    if b"*" not in members:
        wanted = max(1, sum(m.lower() == b"origin" for m in split_list(before)))
        assert sum(member.lower() == b"origin" for member in members) == wanted
    assert split_list([merge_vary([merge_vary(before)])]) == members


def test_exposable_names_leave_out_what_is_always_or_never_readable() -> None:
    fields = [(b"X-A", b""), (b"x-a", b""), (b"Set-Cookie", b""), (b"Cache-Control", b"")]
    fields += [(b"Access-Control-Max-Age", b""), (b"Link", b"")]
    assert exposable_names(fields) == b"x-a, link"


def test_a_constant_grant_adds_no_vary_but_keeps_the_upstreams() -> None:
    fields: list[Field] = []
    add_grant(fields, [b"Accept"], Grant(((b"A", b"*"),), varies=False))
    assert fields == [(b"Vary", b"Accept"), (b"A", b"*")]
