"""Host names, ports and networks as people write them."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.hosts import parse_allowed_host, parse_host, parse_network, parse_port
from corsproxy.config.mistakes import BadValueError


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("localhost", "localhost"), ("API.Example.com", "api.example.com"), ("my_api", "my_api"),
        ("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]"), ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("svc.cluster.local.", "svc.cluster.local."), ("xn--bcher-kva.example",) * 2, ("a1", "a1"),
    ],
)  # fmt: skip
def test_hosts_are_in_lower_case(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("", None), ("a..b", "a.b"), (".a", "a"), ("*.a", None), ("a b", None), ("a/b", None),
        ("a:1", None), ("bücher.example", "xn--bcher-kva.example"), ("127.1", "127.0.0.1"),
        ("1.2.3.4.5", None), ("0x7f.0.0.1", "127.0.0.1"), ("256.1.1.1", None), ("[::1", None),
        ("[::g]", None), ("[fe80::1%eth0]", None), ("[::1]x", None), ("a" * 64, None),
        ("a." * 127 + "aa", None), (".", None),
    ],
)  # fmt: skip
def test_invalid_hosts_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_host(text)
    assert (refused.value.code, refused.value.suggestion) == ("bad-host", suggestion)


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("80", 80), ("65535", 65535)])
def test_ports_are_numbers(text: str, port: int) -> None:
    assert parse_port(text) == port


def test_port_0_is_one_only_where_it_means_any_free_one() -> None:
    assert parse_port("0", zero=True) == 0
    with pytest.raises(BadValueError):
        parse_port("0")


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("", None),
        ("65536", None),
        ("080", "80"),
        ("-1", None),
        ("http", None),
        ("٣", None),
        ("0x50", None),
    ],
)
def test_invalid_ports_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_port(text)
    assert (refused.value.code, refused.value.suggestion) == ("bad-port", suggestion)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Shop.test", "shop.test"), ("api", "api"), ("::2", "[::2]"), ("10.0.0.1", "10.0.0.1")],
)
def test_allowed_hosts_are_names_as_host_carries_them(text: str, name: str) -> None:
    assert parse_allowed_host(text) == name


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("http://shop.test:80/x", "shop.test"), ("shop.test:8010", "shop.test"),
        ("shop.test/", "shop.test"),
        ("*.shop.test", None), ("0.0.0.0", None), ("[::]", None), ("::", None),
        ("", None),
        ("http://", None),
    ],
)  # fmt: skip
def test_invalid_allowed_hosts_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_allowed_host(text)
    assert refused.value.suggestion == suggestion


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1", "fd00::/8", "::1", "0.0.0.0/0"])
def test_networks_are_read(text: str) -> None:
    assert parse_network(text) == ip_network(text)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"), ("fd00::1/8", "fd00::/8"), ("[::1]", "::1"), ("a", None),
        ("10.0.0.0/33", None), ("10.0.0", None), ("fe80::1%eth0", None), ("", None), ("10/8", None),
    ],
)  # fmt: skip
def test_invalid_networks_are_refused(text: str, suggestion: str | None) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_network(text)
    assert (refused.value.code, refused.value.suggestion) == ("bad-network", suggestion)


@given(st.text(st.sampled_from("abAB01.:*/[]%-_é "), max_size=20))
def test_every_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_host, parse_allowed_host, parse_network):
        try:
            parse(text)
        except BadValueError as mistake:
            if mistake.suggestion is not None:
                parse(mistake.suggestion)
