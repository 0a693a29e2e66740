"""A route's timeouts and TLS. Refused values are in broken/."""

import pytest

from corsproxy.core.policy import Timeouts, Tls
from tests.config.reading import codes_of, route_of, route_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Timeouts()),
        ("{connect: 250ms, response: 2m, idle: 90}", Timeouts(0.25, 120.0, 90.0)),
        ("{response: none, idle: none}", Timeouts(5.0, None, None)),
        ("{idle: 1h}", Timeouts(5.0, 60.0, 3600.0)),
        ("{idle: '${IDLE:-none}'}", Timeouts(5.0, 60.0, None)),
    ],
)
def test_timeouts_are_seconds(text: str, expected: Timeouts) -> None:
    assert route_of(f"timeout: {text}").timeout == expected


def test_connecting_always_has_a_timeout() -> None:
    assert codes_of(route_text("timeout: {connect: none}")) == ["bad-duration"]


def test_files_are_beside_the_allowlist_file() -> None:
    route = route_of(
        "tls:",
        "  ca_file: certs/../ca.pem",
        "  cert_file: /abs/me.pem",
        "  key_file: ./me.key",
        "  server_name: Shop.internal",
    )
    assert route.tls == Tls(
        True, "/etc/corsproxy/ca.pem", "/abs/me.pem", "/etc/corsproxy/me.key", "shop.internal"
    )


def test_a_server_name_may_be_an_address() -> None:
    assert route_of('tls: {server_name: "[::1]"}').tls.server_name == "::1"


def test_by_default_certificates_are_verified() -> None:
    assert route_of().tls == route_of("tls: {}").tls == Tls()
    assert codes_of(route_text("tls: {verify: false}")) == ["tls-unverified"]
