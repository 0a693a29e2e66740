"""Whose address is the client's, behind proxies that are trusted and others."""

from ipaddress import ip_network

import pytest

from corsproxy.core.client_address import client_address
from tests.policies import policy, request

BEHIND = policy(trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [b"192.0.2.66, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [b"203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ("10.0.0.1", [b"203.0.113.7", b"10.0.0.9"], "203.0.113.7"),
        ("10.0.0.1", [b"10.0.0.8, 10.0.0.9"], "10.0.0.8"),
        ("10.0.0.1", [b"junk, 10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", [b"\x1b[0m"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fd00::1", [b"2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", [b"203.0.113.7:55123"], "203.0.113.7"),
        ("10.0.0.1", [b"203.0.113.7:55123, 10.0.0.9:8080"], "203.0.113.7"),
        ("10.0.0.1", [b"[2001:db8::7]:55123"], "2001:db8::7"),
        ("10.0.0.1", [b"[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", [b"name.test:80"], "10.0.0.1"),
        ("::ffff:10.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
        ("192.0.2.1", [b"203.0.113.7"], "192.0.2.1"),
        ("", [b"203.0.113.7"], ""),
    ],
)
def test_who_is_believed(peer: str, forwarded: list[bytes], client: str) -> None:
    fields = [(b"X-Forwarded-For", value) for value in forwarded]
    assert client_address(BEHIND, request(client=peer, fields=fields)) == client


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    fields = [(b"X-Forwarded-For", b"203.0.113.7")]
    assert client_address(policy(), request(fields=fields)) == "127.0.0.1"
