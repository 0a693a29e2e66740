"""shell/upstream/addresses.py: which address a request goes to."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.upstream.addresses import SHUN_SECONDS, Addresses
from corsproxy.shell.upstream.resolver import AddressInfo


def v4(number: int) -> AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{number}", 80))


def v6(number: int) -> AddressInfo:
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (f"2001:db8::{number}", 80, 0, 0))


def of(*infos: AddressInfo, now: float = 0.0) -> Addresses:
    addresses = Addresses()
    addresses.update(list(infos), now)
    return addresses


def turns(addresses: Addresses, count: int, now: float = 0.0) -> list[str]:
    found = [addresses.turn(now) for _ in range(count)]
    return [endpoint.info[4][0] for endpoint in found if endpoint is not None]


def test_it_starts_without_addresses() -> None:
    assert Addresses().turn(0.0) is None
    assert Addresses().in_order(None, 0.0) == []


def test_all_of_them_take_turns() -> None:
    found = turns(of(v4(1), v4(2), v4(3)), 30)
    assert {host: found.count(host) for host in found} == {f"10.0.0.{n}": 10 for n in (1, 2, 3)}


def test_new_connections_begin_at_each_in_turn() -> None:
    addresses = of(v4(1), v4(2), v4(3))
    firsts = [addresses.in_order(None, 0.0)[0][4][0] for _ in range(6)]
    assert sorted(firsts) == [
        "10.0.0.1",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.3",
    ]


def test_the_one_whose_turn_it_is_comes_first_and_the_others_behind_it() -> None:
    addresses = of(v4(1), v4(2), v4(3))
    endpoint = addresses.turn(0.0)
    assert endpoint is not None
    order = addresses.in_order(endpoint, 0.0)
    assert order[0] == endpoint.info
    assert sorted(order) == [v4(1), v4(2), v4(3)]


def test_one_family_takes_turns_and_the_other_stands_by() -> None:
    addresses = of(v6(1), v4(1), v6(2), v4(2))
    assert set(turns(addresses, 4)) == {"2001:db8::1", "2001:db8::2"}
    order = addresses.in_order(None, 0.0)
    assert {info[0] for info in order[:2]} == {socket.AF_INET6}
    assert len(order) == 4


def test_the_family_that_was_reached_stays() -> None:
    """Else a `localhost` with a server on one of its two addresses would be tried anew, and the
    connections to the other would lie idle."""
    addresses = of(v6(1), v4(1))
    order = addresses.in_order(None, 0.0)
    addresses.reached(order, ("10.0.0.1", 80), 0.0)
    assert turns(addresses, 2, 2 * SHUN_SECONDS) == ["10.0.0.1"] * 2
    addresses.update([v6(1), v4(1)], 3 * SHUN_SECONDS)
    assert turns(addresses, 2, 3 * SHUN_SECONDS) == ["10.0.0.1"] * 2


def test_one_that_fails_is_passed_over_for_a_while() -> None:
    addresses = of(v4(1), v4(2), v4(3))
    order = addresses.in_order(None, 0.0)
    addresses.reached(order, order[1][4], 0.0)
    failed = order[0][4][0]
    assert failed not in turns(addresses, 6, SHUN_SECONDS - 1)
    assert addresses.in_order(None, 1.0)[-1] == order[0]
    assert failed in turns(addresses, 3, SHUN_SECONDS)


def test_if_all_fail_all_are_tried() -> None:
    addresses = of(v4(1), v4(2))
    for _ in range(2):
        endpoint = addresses.turn(0.0)
        assert endpoint is not None
        addresses.shun(endpoint, 0.0)
    assert set(turns(addresses, 2, 1.0)) == {"10.0.0.1", "10.0.0.2"}


def test_former_addresses_are_not_used() -> None:
    addresses = of(v4(1), v4(2), now=5.0)
    addresses.update([v4(2), v4(3)], 10.0)
    assert set(turns(addresses, 4)) == {"10.0.0.2", "10.0.0.3"}
    [left] = addresses.former
    assert (left.info, left.last_seen) == (v4(1), 5.0)
    addresses.update([v4(1)], 20.0)
    assert addresses.turn(20.0) is left
    assert left.last_seen == 20.0


def test_the_same_look_up_changes_nothing() -> None:
    addresses = Addresses()
    infos = [v4(1)]
    addresses.update(infos, 1.0)
    addresses.update(infos, 9.0)
    endpoint = addresses.turn(9.0)
    assert endpoint is not None
    assert endpoint.last_seen == 1.0


@pytest.mark.parametrize("peer", [("10.0.0.1", 80), ("fe80::1%e", 80, 0, 2), "/x.sock", None])
def test_a_peer_is_known_by_its_address_or_as_the_first(peer: object) -> None:
    addresses = of(v4(1))
    order = addresses.in_order(None, 0.0)
    assert addresses.reached(order, peer, 0.0).info == v4(1)


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, unique=True), min_size=1, max_size=5),
    st.lists(st.integers(1, 9), max_size=5),
)
def test_only_what_the_name_resolves_to_is_tried(
    looks: list[list[int]], failing: list[int]
) -> None:
    addresses = Addresses()
    for now, numbers in enumerate(looks):
        addresses.update([v4(number) for number in numbers], float(now))
        for number in failing:
            order = addresses.in_order(None, float(now))
            addresses.reached(order, v4(number)[4], float(now))
        assert sorted(addresses.in_order(None, float(now))) == sorted(map(v4, numbers))
        endpoint = addresses.turn(float(now))
        assert endpoint is not None
        assert endpoint.info in map(v4, numbers)
