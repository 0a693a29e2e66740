"""The heads as they leave: what stops here, what is added, what passes untouched."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.exchange import Forward, complete, decide
from corsproxy.core.fields import HOP_BY_HOP
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead, UpstreamRequest
from corsproxy.core.policy import CookiesMode, HeaderRules, Policy
from corsproxy.core.rewrite import BOUND_TO_THE_UPSTREAM
from tests.policies import PAGE, policy, request, response, route, upstream, values


def sent(head: RequestHead, given_policy: Policy | None = None) -> UpstreamRequest:
    decision = decide(given_policy or policy(), head)
    assert isinstance(decision, Forward)
    return decision.request


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


def test_end_to_end_fields_keep_order_repeats_case_and_bytes() -> None:
    fields = [
        (b"X-B", b"1"),
        (b"cookie", b"a=b; c=\xe9"),
        (b"X-a", b""),
        (b"X-B", b"2, 3"),
        (b"Authorization", b"Bearer x"),
    ]
    assert [line for line in sent(request(fields=fields)).fields if line in fields] == fields


def test_hop_by_hop_fields_and_what_connection_names_stop_here() -> None:
    fields = [(name, b"x") for name in sorted(HOP_BY_HOP) if name != b"transfer-encoding"]
    fields += [(b"Connection", b"close, X-Private ,, keep-alive"), (b"x-private", b"1")]
    names = {name.lower() for name, _ in sent(request(fields=fields)).fields}
    assert not names & (HOP_BY_HOP | {b"x-private"})


@pytest.mark.parametrize("name", [b"Authorization", b"Cookie"])
def test_connection_cannot_strip_credentials_or_what_we_set(name: bytes) -> None:
    nominated = b"x-forwarded-for, host, origin, via, " + name.lower()
    fields = [(name, b"secret"), (b"Connection", nominated)]
    request_sent = sent(request(fields=fields, origin=PAGE))
    assert values(request_sent.fields, name) == [b"secret"]
    for ours in (b"X-Forwarded-For", b"Host", b"Origin", b"Via"):
        assert len(values(request_sent.fields, ours)) == 1


def test_host_is_the_upstreams_first_and_once() -> None:
    to_port = policy(route(upstream=upstream("http://api.test:9000")))
    assert sent(request(), to_port).fields[0] == (b"Host", b"api.test:9000")
    to_default = policy(route(upstream=upstream("https://api.test:443")))
    assert values(sent(request(), to_default).fields, b"Host") == [b"api.test"]
    preserved = policy(route(preserve_host=True, origin="keep"))
    assert values(sent(request(), preserved).fields, b"Host") == [b"localhost:8010"]


def test_origin_and_referer_become_the_upstreams_and_sec_fetch_goes() -> None:
    fields = [
        (b"Referer", PAGE.encode() + b"/cart?x=1"),
        (b"Sec-Fetch-Site", b"same-site"),
        (b"Sec-Fetch-Mode", b"cors"),
    ]
    request_sent = sent(request(fields=fields, origin=PAGE))
    assert values(request_sent.fields, b"Origin") == [b"http://api.test:9000"]
    assert values(request_sent.fields, b"Referer") == [b"http://api.test:9000/cart?x=1"]
    assert values(request_sent.fields, b"Sec-Fetch-Site") == []
    assert values(request_sent.fields, b"Sec-Fetch-Mode") == []


def test_referer_of_another_site_stays() -> None:
    fields = [(b"Referer", PAGE.encode() + b".evil.test/")]
    assert values(sent(request(fields=fields, origin=PAGE)).fields, b"Referer") == [fields[0][1]]


def test_origin_can_be_kept_or_removed() -> None:
    fields = [(b"Referer", b"http://r.test/"), (b"Sec-Fetch-Site", b"same-site")]
    kept = sent(request(fields=fields, origin=PAGE), policy(route(origin="keep")))
    assert values(kept.fields, b"Origin") == [PAGE.encode()]
    assert values(kept.fields, b"Referer") == [b"http://r.test/"]
    assert values(kept.fields, b"Sec-Fetch-Site") == [b"same-site"]
    removed = sent(request(fields=fields, origin=PAGE), policy(route(origin="remove")))
    assert values(removed.fields, b"Origin") == values(removed.fields, b"Referer") == []


SPOOFED: list[Field] = [
    (b"X-Forwarded-For", b"1.2.3.4"),
    (b"x-forwarded-host", b"evil.test"),
    (b"X-Forwarded-Proto", b"https"),
    (b"Forwarded", b"for=1.2.3.4"),
    (b"X-Real-IP", b"1.2.3.4"),
    (b"X_Forwarded_For", b"1.2.3.4"),
    (b"X.Forwarded.For", b"1.2.3.4"),
]


def test_forwarding_fields_of_a_client_are_replaced_and_look_alikes_dropped() -> None:
    fields = sent(request(fields=SPOOFED)).fields
    assert values(fields, b"X-Forwarded-For") == [b"127.0.0.1"]
    assert values(fields, b"X-Forwarded-Host") == [b"localhost:8010"]
    assert values(fields, b"X-Forwarded-Proto") == [b"http"]
    assert all(b"1.2.3.4" not in value and b"evil" not in value for _, value in fields)


def test_forwarding_fields_of_a_trusted_proxy_count() -> None:
    trusting = policy(trusted_proxies=(ip_network("127.0.0.0/8"),))
    fields = sent(request(fields=SPOOFED), trusting).fields
    assert values(fields, b"X-Forwarded-For") == [b"1.2.3.4, 127.0.0.1"]
    assert values(fields, b"X-Forwarded-Host") == [b"evil.test"]
    assert values(fields, b"X-Forwarded-Proto") == [b"https"]
    assert values(fields, b"X_Forwarded_For") == []


def test_via_is_added_after_those_that_were_there_unless_switched_off() -> None:
    head = request(fields=[(b"Via", b"1.0 edge")], minor_version=0)
    assert values(sent(head).fields, b"Via") == [b"1.0 edge", b"1.0 corsproxy"]
    assert values(sent(head, policy(via=None)).fields, b"Via") == [b"1.0 edge"]


@pytest.mark.parametrize(
    ("method", "fields", "framing", "repeatable"),
    [
        ("GET", [], Framing.NONE, True),
        ("DELETE", [], Framing.NONE, True),
        ("POST", [], Framing.NONE, False),
        ("POST", [(b"Content-Length", b"0")], Framing.NONE, False),
        ("PUT", [(b"Content-Length", b"5")], Framing.LENGTH, False),
        ("GET", [(b"Content-Length", b"5")], Framing.LENGTH, False),
        ("POST", [(b"Transfer-Encoding", b"Chunked")], Framing.CHUNKED, False),
    ],
)
def test_framing_passes_and_decides_what_may_be_repeated(
    method: str, fields: list[Field], framing: Framing, repeatable: bool
) -> None:
    request_sent = sent(request(method, fields=fields))
    assert (request_sent.framing, request_sent.repeatable) == (framing, repeatable)
    assert len(values(request_sent.fields, b"Content-Length")) == (
        b"Length" in str(fields).encode()
    )


def test_expect_is_not_forwarded() -> None:
    head = request("PUT", fields=[(b"Expect", b"100-continue"), (b"Content-Length", b"5")])
    assert values(sent(head).fields, b"Expect") == []


def test_header_rules_set_and_remove_but_not_the_invariants() -> None:
    rules = HeaderRules(((b"X-Api-Key", b"k"), (b"X-Two", b"2")), frozenset({b"referer"}))
    fields = [(b"x-api-key", b"theirs"), (b"Referer", b"http://r.test/"), (b"X-One", b"1")]
    request_sent = sent(request(fields=fields), policy(route(request_headers=rules)))
    assert values(request_sent.fields, b"X-Api-Key") == [b"k"]
    assert values(request_sent.fields, b"Referer") == []
    assert values(request_sent.fields, b"X-One") == [b"1"]


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
