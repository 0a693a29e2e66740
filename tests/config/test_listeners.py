"""Addresses to listen on. Refused values are in broken/listeners.txt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.listeners import parse_listen
from corsproxy.config.mistakes import BadValueError
from tests.config.reading import MINIMAL, NAME, codes_of, policy_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8010", ("localhost", 8010)),
        ("0", ("localhost", 0)),
        ("localhost:8010", ("localhost", 8010)),
        ("LOCALHOST:8010", ("localhost", 8010)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:8010", ("::1", 8010)),
        ("[::]:8010", ("::", 8010)),
        ("proxy:8010", ("proxy", 8010)),
    ],
)
def test_host_and_port_are_told_apart(text: str, expected: tuple[str, int]) -> None:
    address = parse_listen(text)
    assert (address.host, address.port, address.https) == (*expected, False)


@pytest.mark.parametrize("text", ["https://localhost:8443", "HTTPS://127.0.0.1:0", "https://8443"])
def test_https_listens_with_tls(text: str) -> None:
    address = parse_listen(text)
    assert address.https
    assert address.scheme == "https"
    assert parse_listen(str(address)) == address


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("https://localhost", "https://localhost:8010"),
        ("https://localhost:8443/", "https://localhost:8443"),
        ("https://:8443", "https://localhost:8443"),
        ("https://https://localhost:8443", "https://localhost:8443"),
        ("http://localhost:8010", "localhost:8010"),
    ],
)
def test_a_url_is_refused_with_its_address(text: str, suggestion: str) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_listen(text)
    assert refused.value.suggestion == suggestion


@given(
    st.sampled_from(["", "https://"]), st.text(st.sampled_from("localhst:0189./*[]-"), max_size=20)
)
def test_every_text_is_an_address_or_refused_with_one(scheme: str, text: str) -> None:
    try:
        address = parse_listen(scheme + text)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            parse_listen(mistake.suggestion)
    else:
        assert parse_listen(str(address)) == address


def test_addresses_know_where_they_are_written() -> None:
    policy = policy_of(f'{MINIMAL}listen:\n  - 8020\n  - "[::1]:8030"\nadmin: 127.0.0.1:0\n')
    assert [(str(each), each.source) for each in policy.listen] == [
        ("localhost:8020", (NAME, 5, 5)),
        ("[::1]:8030", (NAME, 6, 5)),
    ]
    assert policy.admin is not None
    assert (str(policy.admin), policy.admin.source) == ("127.0.0.1:0", (NAME, 7, 8))


def test_by_default_only_this_machine_is_served() -> None:
    policy = policy_of(MINIMAL)
    assert [str(each) for each in policy.listen] == ["localhost:8010"]
    assert str(policy.admin) == "localhost:8011"


@pytest.mark.parametrize("value", ["off", '"off"', "${ADMIN:-off}"])
def test_admin_may_be_off(value: str) -> None:
    assert policy_of(f"{MINIMAL}admin: {value}\n").admin is None


@pytest.mark.parametrize(
    "listen",
    [
        "[localhost:0, localhost:0]",
        "[127.0.0.1:8010, '[::1]:8010']",
        "[0.0.0.0:8010, '[::]:8010']",
        "[127.0.0.1:8010, 127.0.0.2:8010]",
        "[localhost:8010, localhost:8020]",
    ],
)
def test_addresses_beside_each_other_may_be_bound(listen: str) -> None:
    assert codes_of(f"{MINIMAL}listen: {listen}\n") == []


@pytest.mark.parametrize(
    "listen",
    [
        "[localhost:8010, 127.0.0.1:8010]",
        "[localhost:8010, '[::1]:8010']",
        "[0.0.0.0:8010, localhost:8010]",
        "['[::]:8010', '[::1]:8010']",
        "[0.0.0.0:8011, 127.0.0.1:8020]",
        "localhost:8011",
    ],
)
def test_addresses_that_are_taken_twice_are_refused(listen: str) -> None:
    assert codes_of(f"{MINIMAL}listen: {listen}\n") == ["address-taken"]


def test_the_default_of_admin_gives_way_to_off() -> None:
    assert codes_of(f"{MINIMAL}listen: localhost:8011\nadmin: off\n") == []


def test_the_number_of_addresses_is_limited() -> None:
    ports = ", ".join(map(str, range(9000, 9100)))
    assert codes_of(f"{MINIMAL}listen: [{ports}]\n") == ["out-of-range"]


@pytest.mark.parametrize(
    ("listen", "codes"),
    [("[]", ["empty-list"]), ("['8010 8020']", ["several-entries"]), ("[{a: b}]", ["wrong-type"])],
)
def test_a_list_is_empty_only_if_nothing_stands_in_it(listen: str, codes: list[str]) -> None:
    assert codes_of(f"{MINIMAL}listen: {listen}\n") == codes
