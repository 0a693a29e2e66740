"""The response as the client gets it: what stops here, what is added, what passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.decision import Forward, complete, decide
from corsproxy.core.fields import HOP_BY_HOP
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import CookiesMode, HeaderRules, Policy
from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM
from tests.policies import PAGE, policy, request, response, route, values


def received(
    fields: list[Field],
    given_policy: Policy | None = None,
    head: RequestHead | None = None,
    *,
    status: int = 200,
    framing: Framing = Framing.LENGTH,
) -> ClientHead:
    decision = decide(given_policy or policy(), head or request(origin=PAGE))
    assert isinstance(decision, Forward)
    result = complete(decision, response(status, fields, framing))
    assert isinstance(result, ClientHead)
    return result


def test_response_rules_apply_before_the_grant() -> None:
    rules = HeaderRules(((b"Vary", b"X-Tenant"), (b"X-Set", b"1")), frozenset({b"server"}))
    fields = [(b"Server", b"nginx"), (b"Vary", b"Accept"), (b"X-Other", b"2")]
    head = received(fields, policy(route(response_headers=rules)))
    assert values(head.fields, b"Server") == []
    assert values(head.fields, b"X-Set") == [b"1"]
    assert values(head.fields, b"Vary") == [b"X-Tenant, Origin"]


def test_fields_bound_to_the_upstreams_host_and_hop_by_hop_ones_stop_here() -> None:
    fields = [(name, b"x") for name in sorted(BOUND_TO_THE_UPSTREAM | HOP_BY_HOP)]
    fields += [(b"Connection", b"X-Hop"), (b"X-Hop", b"1"), (b"Content-Length", b"2")]
    fields += [(b"Content-Security-Policy", b"default-src 'self'")]
    names = {name.lower() for name, _ in received(fields).fields}
    assert not names & (BOUND_TO_THE_UPSTREAM | HOP_BY_HOP | {b"x-hop"})
    assert b"content-security-policy" in names


def test_connection_cannot_name_the_length_away() -> None:
    fields = [(b"Content-Length", b"2"), (b"Connection", b"close, Content-Length, X-Hop")]
    head = received([*fields, (b"X-Hop", b"1")])
    assert head.framing is Framing.LENGTH
    assert values(head.fields, b"Content-Length") == [b"2"]
    assert values(head.fields, b"X-Hop") == []


def test_set_cookie_lines_stay_apart_and_in_order() -> None:
    fields = [(b"Set-Cookie", b"a=1; Path=/"), (b"X", b"y"), (b"set-cookie", b"b=2, 3")]
    kept = policy(route(cookies="keep"))
    assert [line for line in received(fields, kept).fields if line in fields] == fields


@pytest.mark.parametrize(
    ("framing", "minor", "expected", "field"),
    [
        (Framing.LENGTH, 1, Framing.LENGTH, b"Content-Length"),
        (Framing.LENGTH, 0, Framing.LENGTH, b"Content-Length"),
        (Framing.CHUNKED, 1, Framing.CHUNKED, b"Transfer-Encoding"),
        (Framing.CHUNKED, 0, Framing.CLOSE, None),
        (Framing.CLOSE, 1, Framing.CHUNKED, b"Transfer-Encoding"),
        (Framing.CLOSE, 0, Framing.CLOSE, None),
    ],
)
def test_framing_to_the_client(
    framing: Framing, minor: int, expected: Framing, field: bytes | None
) -> None:
    fields: list[Field] = [(b"Content-Length", b"2")] if framing is Framing.LENGTH else []
    head = received(fields, head=request(origin=PAGE, minor_version=minor), framing=framing)
    assert head.framing is expected
    framed = [n for n, _ in head.fields if n in (b"Content-Length", b"Transfer-Encoding")]
    assert framed == ([] if field is None else [field])


@pytest.mark.parametrize(("status", "kept"), [(204, []), (304, [b"10"]), (200, [b"10"])])
def test_length_of_a_response_without_content(status: int, kept: list[bytes]) -> None:
    fields = [(b"Content-Length", b"10")]
    head = received(fields, status=status, framing=Framing.NONE)
    assert values(head.fields, b"Content-Length") == kept


_FIELD = st.tuples(
    st.sampled_from(
        [
            b"X-A",
            b"Vary",
            b"Connection",
            b"Set-Cookie",
            b"Location",
            b"Link",
            b"TE",
            b"Access-Control-Allow-Origin",
            b"Transfer-Encoding",
            b"Content-Length",
            b"Refresh",
            b"Upgrade",
            b"Keep-Alive",
            b"dAtE",
        ]
    ),
    st.binary(max_size=30),
)


_MODES: st.SearchStrategy[CookiesMode] = st.sampled_from(["auto", "keep"])


@given(st.lists(_FIELD, max_size=10), _MODES)
def test_no_upstream_response_makes_complete_raise_or_leak(
    fields: list[Field], mode: CookiesMode
) -> None:
    head = received(fields, policy(replace(route(), cookies=mode)))
    names = [name.lower() for name, _ in head.fields]
    assert not set(names) & (HOP_BY_HOP - {b"transfer-encoding"})
    assert values(head.fields, b"Access-Control-Allow-Origin") == [PAGE.encode()]
    assert len(values(head.fields, b"Vary")) == 1


_RULES = st.sampled_from(
    [
        HeaderRules(),
        HeaderRules(((b"X-Set", b"1"), (b"Date", b"then"))),
        HeaderRules((), frozenset({b"date", b"x-a"})),
    ]
)


@given(
    st.lists(_FIELD, max_size=10),
    _RULES,
    st.sampled_from(list(Framing)),
    st.sampled_from([200, 101, 204]),
)
def test_a_head_says_whether_it_has_a_date(
    fields: list[Field], rules: HeaderRules, framing: Framing, status: int
) -> None:
    decision = decide(policy(route(response_headers=rules)), request(origin=PAGE))
    assert isinstance(decision, Forward)
    head = complete(decision, UpstreamHead(status, b"OK", fields, framing))
    if isinstance(head, ClientHead):
        assert head.is_dated == any(name.lower() == b"date" for name, _ in head.fields)
