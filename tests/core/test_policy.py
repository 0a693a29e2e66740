"""What a policy implies is computed once and right."""

from dataclasses import FrozenInstanceError

import pytest

from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.core.policy import ListenAddress, UpstreamAddress
from tests.policies import listed, policy, route, rules


@pytest.mark.parametrize(
    ("address", "authority", "text"),
    [
        (UpstreamAddress("http", "a.test", 80), b"a.test", "http://a.test"),
        (UpstreamAddress("https", "a.test", 80), b"a.test:80", "https://a.test:80"),
        (UpstreamAddress("https", "a.test", 443, b"/v2"), b"a.test", "https://a.test/v2"),
        (UpstreamAddress("http", "::1", 9000), b"[::1]:9000", "http://[::1]:9000"),
        (UpstreamAddress("http", "", 80, socket_path="/s"), b"localhost", "unix:/s"),
    ],
)
def test_upstream_address_as_the_host_field_and_as_people_write_it(
    address: UpstreamAddress, authority: bytes, text: str
) -> None:
    assert address.authority == authority
    assert str(address) == text


def test_allowed_methods_hold_the_safelisted_and_never_the_forbidden() -> None:
    cors = rules(methods=listed("PUT", "TRACE"))
    assert cors.allowed_methods == {b"PUT", b"GET", b"HEAD", b"POST"}


def test_an_asterisk_allows_what_is_forwarded() -> None:
    allowed = rules(methods=listed("*")).allowed_methods
    assert {method.decode() for method in allowed} == FORWARDED_METHODS


def test_policy_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        policy().routes = ()  # type: ignore[misc] # that it is refused is the point


def test_routes_by_path_and_the_longest_of_them() -> None:
    given = policy(route(b"/"), route(b"/shop"))
    assert set(given.routes_by_path) == {b"/", b"/shop"}
    assert given.longest_path == 5


def test_listen_address_brackets_ipv6() -> None:
    assert str(ListenAddress("::1", 80)) == "[::1]:80"
    assert str(ListenAddress("localhost", 0)) == "localhost:0"
