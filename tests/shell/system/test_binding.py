"""Listening sockets, and the messages if there are none."""

import os
import re
import socket
from collections.abc import Iterator

import pytest

from corsproxy.core.policy import ListenAddress
from corsproxy.errors import StartError
from corsproxy.shell.system.binding import Listeners, bind_all


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on, on 127.0.0.1 only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def bound(*listen: ListenAddress, admin: ListenAddress | None = None) -> Listeners:
    return bind_all(listen, admin)


def has_ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_localhost_is_both_loopback_addresses_on_one_port() -> None:
    listeners = bound(ListenAddress("localhost", 0))
    (proxy,) = listeners.proxy
    port = proxy.address.port
    expected = [f"127.0.0.1:{port}"] + ([f"[::1]:{port}"] if has_ipv6_loopback() else [])
    assert list(proxy.endpoints) == expected
    assert proxy.url == f"http://localhost:{port}"
    assert proxy.is_loopback
    listeners.close()


def test_connections_are_accepted_by_the_kernel_at_once() -> None:
    listeners = bound(ListenAddress("127.0.0.1", 0))
    with socket.create_connection(("127.0.0.1", listeners.proxy[0].address.port), timeout=1):
        pass
    listeners.close()


def test_every_interface_is_reached_as_localhost() -> None:
    listeners = bound(ListenAddress("0.0.0.0", 0))
    proxy = listeners.proxy[0]
    assert proxy.url == f"http://localhost:{proxy.address.port}"
    assert not proxy.is_loopback
    listeners.close()


def test_a_taken_port_is_named_with_who_has_it_and_what_to_try(taken: int) -> None:
    with pytest.raises(StartError) as caught:
        bound(ListenAddress("127.0.0.1", taken))
    sentence = str(caught.value)
    assert sentence.startswith(f"port {taken} is in use (")
    if os.path.exists("/proc/net/tcp"):
        assert f"pid {os.getpid()}" in sentence
    assert "; try -l 127.0.0.1:" in sentence


def test_localhost_fails_if_one_loopback_address_is_taken(taken: int) -> None:
    with pytest.raises(StartError, match="is in use"):
        bound(ListenAddress("localhost", taken))


def test_all_taken_ports_are_told_at_once_with_flags_that_work(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        admin = other.getsockname()[1]
        with pytest.raises(StartError) as caught:
            bind_all([ListenAddress("127.0.0.1", taken)], ListenAddress("127.0.0.1", admin))
        sentence = str(caught.value)
        assert sentence.startswith(f"port {taken} is in use (")
        assert f"; port {admin} is in use (" in sentence
        found = re.search(r"; try -l 127\.0\.0\.1:(\d+) --admin 127\.0\.0\.1:(\d+) or ", sentence)
        assert found is not None
        listen, admin = int(found[1]), int(found[2])
        assert listen != admin
        addresses = [ListenAddress("127.0.0.1", listen)], ListenAddress("127.0.0.1", admin)
        bind_all(*addresses).close()


def test_a_taken_admin_port_names_its_own_flag(taken: int) -> None:
    with pytest.raises(StartError, match=r"try --admin 127\.0\.0\.1:\d+ or --admin off"):
        bound(ListenAddress("127.0.0.1", 0), admin=ListenAddress("127.0.0.1", taken))


def test_nothing_stays_bound_after_a_failure(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StartError):
        bound(ListenAddress("127.0.0.1", port), ListenAddress("127.0.0.1", taken))
    bound(ListenAddress("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("listen", "admin", "sentence"),
    [
        (["127.0.0.1"], "127.0.0.1", "asked for by the proxy and by admin"),
        (["127.0.0.1", "127.0.0.1"], None, "is listed twice"),
    ],
)
def test_one_port_for_two_purposes_is_refused(
    listen: list[str], admin: str | None, sentence: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StartError, match=sentence):
        bind_all(
            [ListenAddress(host, port) for host in listen],
            None if admin is None else ListenAddress(admin, port),
        )


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine"),
        ("nosuch.invalid", "the name nosuch.invalid is not known on this machine"),
    ],
)
def test_an_address_that_is_not_ours_is_refused(host: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        bound(ListenAddress(host, 0))


def test_a_restart_binds_while_old_connections_linger() -> None:
    listeners = bound(ListenAddress("127.0.0.1", 0))
    port = listeners.proxy[0].address.port
    client = socket.create_connection(("127.0.0.1", port))
    listeners.proxy[0].sockets[0].setblocking(True)
    server_side, _ = listeners.proxy[0].sockets[0].accept()
    # Whoever closes first keeps the TIME_WAIT.
    server_side.close()
    client.close()
    listeners.close()
    bound(ListenAddress("127.0.0.1", port)).close()
