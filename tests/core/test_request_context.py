"""A request, read once: what the decisions ask of it."""

from ipaddress import ip_network

import pytest

from corsproxy.core.messages import Field
from corsproxy.core.request_context import RequestContext
from corsproxy.core.verdicts import Kind
from tests.policies import PAGE, policy, preflight, request, rules

WEBSOCKET: list[Field] = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]


def test_kinds() -> None:
    assert RequestContext(policy(), request()).kind is Kind.NO_ORIGIN
    assert RequestContext(policy(), request(origin=PAGE)).kind is Kind.ACTUAL
    assert RequestContext(policy(), preflight()).kind is Kind.PREFLIGHT
    assert RequestContext(policy(), request(fields=WEBSOCKET)).kind is Kind.WEBSOCKET


@pytest.mark.parametrize(
    ("upgrade", "passed"),
    [
        (b"websocket", b"websocket"),
        (b"Foo/2", b"Foo/2"),
        (b"h2c", None),
        (b"websocket, H2C", None),
        (b"HTTP/2.0", None),
        (b"TLS/1.0", None),
        (b"", None),
    ],
)
def test_protocols_that_would_hide_requests_are_not_upgrades(
    upgrade: bytes, passed: bytes | None
) -> None:
    fields = [(b"Connection", b"upgrade"), (b"Upgrade", upgrade)]
    assert RequestContext(policy(), request(fields=fields)).upgrade == passed


@pytest.mark.parametrize("client", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_trust_is_by_the_peers_address(client: str) -> None:
    trusting = policy(trusted_proxies=(ip_network("10.0.0.0/8"),))
    assert RequestContext(trusting, request(client=client)).is_trusted
    assert not RequestContext(trusting, request(client="11.0.0.1")).is_trusted
    assert not RequestContext(trusting, request(client="")).is_trusted
    assert not RequestContext(policy(), request(client=client)).is_trusted


def test_public_host_and_scheme_are_what_a_trusted_proxy_reports() -> None:
    fields = [(b"X-Forwarded-Host", b"app.test"), (b"X-Forwarded-Proto", b"https")]
    trusting = policy(trusted_proxies=(ip_network("127.0.0.1/32"),))
    context = RequestContext(trusting, request(fields=fields))
    assert (context.public_host, context.is_secure) == (b"app.test", True)
    context = RequestContext(policy(), request(fields=fields))
    assert (context.public_host, context.is_secure) == (b"localhost:8010", False)


@pytest.mark.parametrize(
    ("host", "proto", "public", "secure"),
    [
        (b"", b"", b"localhost:8010", False),
        (b"a b", b"ftp", b"localhost:8010", False),
        (b"evil.test, app.test", b"http, https", b"app.test", True),
        (b"app.test:8443", b"WSS", b"app.test:8443", True),
    ],
)
def test_of_a_report_the_last_member_counts_if_it_is_one(
    host: bytes, proto: bytes, public: bytes, secure: bool
) -> None:
    fields = [(b"X-Forwarded-Host", host), (b"X-Forwarded-Proto", proto)]
    trusting = policy(trusted_proxies=(ip_network("127.0.0.1/32"),))
    context = RequestContext(trusting, request(fields=fields))
    assert (context.public_host, context.is_secure) == (public, secure)
    assert RequestContext(
        trusting, request(fields=[(b"X-Forwarded-Proto", b"")], secure=True)
    ).is_secure


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        (b"http://app.test", b"app.test", True),
        (b"https://app.test", b"APP.test:443", True),
        (b"https://app.test:444", b"app.test", False),
        (b"http://app.test.evil", b"app.test", False),
        (b"http://other.test", b"app.test", False),
        (b"null", b"app.test", False),
        (b"http@s://app.test", b"app.test", False),
        (b"https.evil.test://app.test", b"app.test", False),
        (b"http://user@app.test", b"app.test", False),
        (b"http://app.test/", b"app.test", False),
        (b"http://", b"app.test", False),
        (b"http://a b", b"app.test", False),
    ],
)
def test_same_origin_by_host_and_port(origin: bytes, host: bytes, same: bool) -> None:
    assert (
        RequestContext(policy(default=rules()), request(host=host)).is_same_origin(origin) is same
    )


@pytest.mark.parametrize(
    ("sites", "same"),
    [
        ([b"same-origin"], True),
        ([b"none"], True),
        ([b"cross-site"], False),
        ([b"same-site"], False),
        ([b""], False),
        ([b"Same-Origin"], False),
        ([b"same-origin, same-origin"], False),
        ([b"same-origin", b"same-origin"], False),
        ([b"same-origin", b"cross-site"], False),
    ],
)
@pytest.mark.parametrize("origin", [b"http://app.test", b"https://app.test", b"http://other.test"])
def test_what_the_browser_says_of_the_site_decides_alone(
    origin: bytes, sites: list[bytes], same: bool
) -> None:
    fields = [(b"Sec-Fetch-Site", site) for site in sites]
    context = RequestContext(policy(default=rules()), request(host=b"app.test", fields=fields))
    assert context.is_same_origin(origin) is same


@pytest.mark.parametrize(
    ("origin", "proto", "same"),
    [
        (b"http://app.test", b"https", False),
        (b"http://app.test:443", b"HTTPS", False),
        (b"https://app.test", b"https", True),
        (b"http://app.test", b"http", True),
    ],
)
def test_a_page_on_plain_http_is_not_that_of_a_proxy_under_https(
    origin: bytes, proto: bytes, same: bool
) -> None:
    host = b"app.test:443" if origin.endswith(b":443") else b"app.test"
    sent = request(host=host, fields=[(b"X-Forwarded-Proto", proto)])
    trusting = policy(default=rules(), trusted_proxies=(ip_network("127.0.0.1/32"),))
    assert RequestContext(trusting, sent).is_same_origin(origin) is same
    assert RequestContext(policy(default=rules()), sent).is_same_origin(origin)
