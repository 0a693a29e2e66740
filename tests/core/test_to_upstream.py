"""The request as the upstream gets it: what stops here, what is added, what passes."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from corsproxy.core.decision import Forward, decide
from corsproxy.core.fields import HOP_BY_HOP
from corsproxy.core.messages import Field, Framing, RequestHead, UpstreamRequest
from corsproxy.core.policy import HeaderRules, Policy
from tests.policies import PAGE, policy, preflight, request, route, upstream, values


def sent(head: RequestHead, given_policy: Policy | None = None) -> UpstreamRequest:
    decision = decide(given_policy or policy(), head)
    assert isinstance(decision, Forward)
    return decision.request


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


@pytest.mark.parametrize("origin", [None, "http://localhost:8010"])
@pytest.mark.parametrize(
    ("page", "told"),
    [
        (b"http://localhost:8010/form?x=1", b"http://api.test:9000/v2/form?x=1"),
        (b"https://localhost:8010/", b"http://api.test:9000/v2"),
        (b"http://localhost:8010/shop/form", b"http://api.test:9000/shop/v1/form"),
        (b"http://localhost:8010/other/form", b"http://api.test:9000/other/form"),
        (b"http://localhost:8010.evil.test/", None),
        (b"http://localhost:80101/", None),
        (b"http://evil.test/localhost:8010/", None),
    ],
)
def test_the_referer_of_an_own_page_is_the_upstreams_with_and_without_origin(
    origin: str | None, page: bytes, told: bytes | None
) -> None:
    routes = (
        route(upstream=upstream(base=b"/v2")),
        route(b"/shop", upstream=upstream(base=b"/shop/v1"), strip_path=True),
        route(b"/other", upstream=upstream("http://other.test")),
    )
    asked = request(fields=[(b"Referer", page)], origin=origin)
    assert values(sent(asked, policy(*routes)).fields, b"Referer") == [told or page]
    kept = policy(*(replace(each, origin="keep") for each in routes))
    assert values(sent(asked, kept).fields, b"Referer") == [page]


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
    (b"X-Forwarded-User", b"evil"),
    (b"X-Forwarded_Email", b"evil@evil.test"),
    (b"x-forwarded-", b"evil"),
]


REPORTED: list[Field] = [
    (b"X-Forwarded-Port", b"8443"),
    (b"X-Forwarded-Prefix", b"/evil"),
    (b"x-forwarded-ssl", b"on"),
    (b"X-Forwarded-Scheme", b"evil"),
    (b"X_Forwarded_Port", b"1"),
]
PUBLIC = [
    {"preserve_host": True, "origin": "keep"},
    {"preserve_host": True, "origin": "keep", "forwarded": "on"},
    {"forwarded": "on"},
]
TRUSTING = (ip_network("127.0.0.0/8"),)


def test_by_default_the_upstream_sees_only_its_own_address() -> None:
    fields = sent(request(fields=[*SPOOFED, *REPORTED], origin=PAGE)).fields
    assert values(fields, b"X-Forwarded-For") == [b"127.0.0.1"]
    assert {name for name, _ in fields if b"forward" in name.lower()} == {b"X-Forwarded-For"}
    assert all(b"1.2.3.4" not in value and b"evil" not in value for _, value in fields)


@pytest.mark.parametrize("story", PUBLIC)
@pytest.mark.parametrize("secure", [False, True])
def test_the_public_story_names_the_address_that_the_browser_used(
    story: dict[str, Any], secure: bool
) -> None:
    head = request(fields=[*SPOOFED, *REPORTED], origin=PAGE, secure=secure)
    fields = sent(head, policy(route(**story))).fields
    assert values(fields, b"X-Forwarded-For") == [b"127.0.0.1"]
    assert values(fields, b"X-Forwarded-Host") == [b"localhost:8010"]
    assert values(fields, b"X-Forwarded-Proto") == [b"https" if secure else b"http"]
    assert len([name for name, _ in fields if b"forward" in name.lower()]) == 3
    if "preserve_host" in story:
        assert fields[0] == (b"Host", b"localhost:8010")
        assert values(fields, b"Origin") == [PAGE.encode()]


@pytest.mark.parametrize("preserve_host", [False, True])
@pytest.mark.parametrize("trusted", [(), TRUSTING])
def test_forwarded_off_hides_client_and_address(
    preserve_host: bool, trusted: tuple[Any, ...]
) -> None:
    silent = policy(route(forwarded="off", preserve_host=preserve_host), trusted_proxies=trusted)
    names = {name.lower() for name, _ in sent(request(fields=[*SPOOFED, *REPORTED]), silent).fields}
    told = {name for name in names if b"forward" in name or b"real-ip" in name}
    assert told == ({b"x-forwarded-user", b"x-forwarded-"} if trusted else set())


def test_of_a_trusted_proxys_report_the_own_story_takes_what_is_no_address() -> None:
    given = policy(trusted_proxies=TRUSTING)
    fields = sent(request(fields=[*SPOOFED, *REPORTED]), given).fields
    assert values(fields, b"X-Forwarded-For") == [b"1.2.3.4, 127.0.0.1"]
    assert values(fields, b"X-Forwarded-User") == [b"evil"]
    assert values(fields, b"X-Real-IP") == [b"1.2.3.4"]
    for name in ("Host", "Proto", "Port", "Prefix", "Ssl", "Scheme"):
        assert values(fields, f"X-Forwarded-{name}".encode()) == []
    assert values(fields, b"Forwarded") == []


@pytest.mark.parametrize("story", PUBLIC)
def test_the_public_story_is_the_one_that_a_trusted_proxy_reports(story: dict[str, Any]) -> None:
    given = policy(route(**story), trusted_proxies=TRUSTING)
    fields = sent(request(fields=[*SPOOFED, *REPORTED]), given).fields
    assert values(fields, b"X-Forwarded-For") == [b"1.2.3.4, 127.0.0.1"]
    assert values(fields, b"X-Forwarded-Host") == [b"evil.test"]
    assert values(fields, b"X-Forwarded-Proto") == [b"https"]
    assert values(fields, b"X-Forwarded-User") == [b"evil"]
    assert values(fields, b"X-Forwarded-Port") == [b"8443"]
    assert values(fields, b"Forwarded") == [b"for=1.2.3.4"]
    assert values(fields, b"X_Forwarded_For") == values(fields, b"X-Forwarded_Email") == []
    if "preserve_host" in story:
        assert fields[0] == (b"Host", b"evil.test")


@pytest.mark.parametrize(
    "said", [[], [(b"X-Forwarded-Host", b"")], [(b"X-Forwarded-Host", b"a b")]]
)
def test_where_a_trusted_proxy_reports_no_host_it_is_ours(said: list[Field]) -> None:
    given = policy(route(preserve_host=True), trusted_proxies=TRUSTING)
    fields = sent(request(fields=said), given).fields
    assert fields[0] == (b"Host", b"localhost:8010")
    assert values(fields, b"X-Forwarded-Host") == [b"localhost:8010"]
    assert values(fields, b"X-Forwarded-Proto") == [b"http"]


@pytest.mark.parametrize("trusted", ["127.0.0.0/8", "10.0.0.0/8"])
def test_without_a_host_no_forwarded_host_is_sent(trusted: str) -> None:
    head = request(host=None, minor_version=0)
    given = policy(route(forwarded="on"), trusted_proxies=(ip_network(trusted),))
    assert values(sent(head, given).fields, b"X-Forwarded-Host") == []


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


@pytest.mark.parametrize("ruled", [b"X-Admin", b"X_Admin", b"x_admin", b"X-ADMIN"])
@pytest.mark.parametrize("sent_as", [b"X-Admin", b"X_Admin", b"x-aDmin", b"x_ADMIN"])
def test_header_rules_match_names_as_cgi_does(ruled: bytes, sent_as: bytes) -> None:
    head = request(fields=[(sent_as, b"1"), (b"X.Admin", b"2")])
    removing = HeaderRules(remove=frozenset({ruled.lower()}))
    fields = sent(head, policy(route(request_headers=removing))).fields
    assert [line for line in fields if b"dmin" in line[0].lower()] == [(b"X.Admin", b"2")]
    setting = HeaderRules(((ruled, b"0"),))
    fields = sent(head, policy(route(request_headers=setting))).fields
    found = [line for line in fields if b"dmin" in line[0].lower()]
    assert found == [(b"X.Admin", b"2"), (ruled, b"0")]


def test_what_a_preflight_asks_passes_to_an_upstream_that_answers_it() -> None:
    through = policy(replace(route(origin="keep"), cors="passthrough"))
    fields = sent(preflight(b"PUT", b"x-a,x-b"), through).fields
    assert values(fields, b"Access-Control-Request-Method") == [b"PUT"]
    assert values(fields, b"Access-Control-Request-Headers") == [b"x-a,x-b"]
