"""Noticing that a client has left while nothing is read from it.

A connection that is held still, because the upstream does not take what the client sends,
shows neither its end nor a reset: both would have to be read. The kernel knows.
"""

import socket

# linux/tcp_states.h; other systems have no TCP_INFO, or another one.
_CLOSED = 7
_CLOSED_BY_PEER = frozenset({6, _CLOSED, 8, 9, 11})
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)


def peer_closed(sock: socket.socket, *, half_close: bool) -> bool:
    """Return whether the peer has reset the connection or closed its sending side; with
    `half_close`, which a tunnel allows, only whether it is gone altogether.

    False where this cannot be known: on other systems, and for Unix sockets.
    """
    if _TCP_INFO is None:
        return False
    try:
        state = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0]
    except OSError:
        return False
    return state == _CLOSED if half_close else state in _CLOSED_BY_PEER
