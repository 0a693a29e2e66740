"""Flags that take a host and a port."""

import click
import pytest

from corsproxy.cli.addresses import Off, admin_address, listen_addresses

PARAM = click.Option(["-l", "--listen"])
CONTEXT = click.Context(click.Command("serve"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("localhost:8010", "localhost:8010"),
        ("8010", "localhost:8010"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]:0", "[::1]:0"),
    ],
)
def test_addresses_as_the_file_has_them(text: str, shown: str) -> None:
    (address,) = listen_addresses(CONTEXT, PARAM, (text,))
    assert str(address) == shown
    assert str(address.source) == "--listen"


@pytest.mark.parametrize(
    "text", ["", "localhost", "localhost:99999", ":8010", "http://x:1", "a b:1"]
)
def test_a_bad_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        listen_addresses(CONTEXT, PARAM, ("localhost:8010", text))
    assert caught.value.exit_code == 2


def test_a_usage_error_suggests_what_was_meant() -> None:
    with pytest.raises(click.BadParameter, match="Did you mean localhost:8010"):
        listen_addresses(CONTEXT, PARAM, (":8010",))


@pytest.mark.parametrize("text", ["a:1,b:2", "localhost:8010;[::1]:8012"])
def test_several_addresses_in_one_value_are_refused_with_the_fix(text: str) -> None:
    with pytest.raises(click.BadParameter, match="by spaces in CORSPROXY_LISTEN"):
        listen_addresses(CONTEXT, PARAM, (text,))


def test_admin_may_be_off_or_left_to_the_file() -> None:
    assert admin_address(CONTEXT, PARAM, "off") is Off.OFF
    assert admin_address(CONTEXT, PARAM, None) is None
    assert str(admin_address(CONTEXT, PARAM, "localhost:9000")) == "localhost:9000"
