"""The kernel knows when a peer has left a socket that is not being read."""

import socket
import struct
from collections.abc import Iterator

import pytest

from corsproxy.shell.listener.peer_closed import peer_closed


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        near.sendall(b"unread")
        yield far, near


def test_a_peer_that_is_there_has_not_left(pair: tuple[socket.socket, socket.socket]) -> None:
    assert not peer_closed(pair[0], half_close=False)
    assert not peer_closed(pair[0], half_close=True)


def test_half_a_close_counts_where_it_is_not_allowed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[1].shutdown(socket.SHUT_WR)
    assert peer_closed(pair[0], half_close=False)
    assert not peer_closed(pair[0], half_close=True)


def test_a_reset_always_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair[1].close()
    assert peer_closed(pair[0], half_close=False)
    assert peer_closed(pair[0], half_close=True)


def test_other_kinds_of_sockets_report_nothing() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.shutdown(socket.SHUT_WR)
        assert not peer_closed(near, half_close=False)
