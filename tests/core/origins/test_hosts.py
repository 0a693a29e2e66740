"""Hosts in the one form that browsers send them in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins.hosts import (
    canonical_ipv4,
    canonical_ipv6,
    ends_in_number,
    is_ipv4,
    to_punycode,
)


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("1.2.65535", "1.2.255.255"),
        ("1.2.65536", None),
        ("256.1", None),
        ("4294967296", None),
        ("08.1", None),
        ("1.2.3.4.5", None),
        ("1..2", None),
        ("a.1", None),
    ],
)
def test_ipv4_addresses_are_read_as_a_url_parser_reads_them(
    host: str, canonical: str | None
) -> None:
    assert canonical_ipv4(host) == canonical


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:1.2.3.4", "::ffff:102:304"),
        ("::1.2.3.4", "::102:304"),
        ("fe80::1%eth0", None),
        ("1:2", None),
        ("", None),
        ("localhost", None),
    ],
)
def test_ipv6_addresses_are_written_as_a_url_serializer_writes_them(
    address: str, canonical: str | None
) -> None:
    assert canonical_ipv6(address) == canonical


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_its_own_canonical_form(address: object) -> None:
    assert is_ipv4(str(address))
    assert canonical_ipv4(str(address)) == str(address)


@pytest.mark.parametrize("host", ["1", "a.1", "a.0x", "a.0xff", "1.2.3.4"])
def test_a_numeric_last_label_makes_an_address(host: str) -> None:
    assert ends_in_number(host)


@pytest.mark.parametrize("host", ["a", "1a", "1.a", "a.0xg", "a.1b", "11-22"])
def test_other_last_labels_make_a_domain(host: str) -> None:
    assert not ends_in_number(host)


@given(st.text(st.characters()))
def test_every_text_has_an_ascii_form(host: str) -> None:
    assert to_punycode(host).isascii()
