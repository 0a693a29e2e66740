"""Listening sockets for the policy's addresses, or one sentence that says why there are none.

A port is never changed silently: its URL is pasted into an app. "localhost" means both
loopback addresses, each bound explicitly, so that no other program can bind one of them
and receive half of the requests.

Several workers get one socket each, all on one port; the kernel distributes the
connections among them (SO_REUSEPORT).
"""

import errno
import os
import socket
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal, NamedTuple

from corsproxy.core.advice.operation import listen_elsewhere
from corsproxy.core.policy import ListenAddress
from corsproxy.errors import StartError
from corsproxy.shell.system.descriptors import require_descriptors
from corsproxy.shell.system.port_owner import port_owner

Role = Literal["listen", "admin"]

BACKLOG = 1024
"""Connections that the kernel queues for us; its own limit (somaxconn) may be lower."""

_FLAGS: dict[Role, str] = {"listen": "-l", "admin": "--admin"}
# Wildcard addresses cannot be connected to everywhere; use loopback instead.
CONNECTABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - connected to, not bound
_MISSING = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
# Port 0 with two address families needs a number that is free in both.
_ATTEMPTS = 20


class _RefusedError(Exception):
    """An address that cannot be bound: why, and what to try instead, if anything."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


class Bound(NamedTuple):
    """An address that is listened on."""

    address: ListenAddress
    """The address as configured, with the actual port."""
    sockets: tuple[socket.socket, ...]
    siblings: tuple[tuple[socket.socket, ...], ...] = ()
    """More sockets on the same address, for each further worker."""

    @property
    def url(self) -> str:
        """The URL at which a browser on this machine reaches it."""
        address = self.address
        if address.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            address = replace(address, host="localhost")
        return f"{address.scheme}://{address.authority}"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The socket addresses, as "127.0.0.1:8010" and "[::1]:8010"."""
        return tuple(map(endpoint_of, self.sockets))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        hosts = [str(s.getsockname()[0]) for s in self.sockets]
        return all(host == "::1" or host.startswith("127.") for host in hosts)

    def close(self) -> None:
        for sockets in (self.sockets, *self.siblings):
            for each in sockets:
                each.close()


class Listeners(NamedTuple):
    """Every socket of a run."""

    proxy: tuple[Bound, ...]
    admin: Bound | None

    @property
    def shares(self) -> list[list[socket.socket]]:
        """The sockets of each worker: one for each address."""
        shares = zip(*((bound.sockets, *bound.siblings) for bound in self.proxy), strict=True)
        return [[each for sockets in share for each in sockets] for share in shares]

    @property
    def https(self) -> list[str]:
        """The endpoints that speak TLS."""
        return [each for bound in self.proxy if bound.address.https for each in bound.endpoints]

    def close(self) -> None:
        for bound in (*self.proxy, self.admin):
            if bound is not None:
                bound.close()


def endpoint_of(bound: socket.socket) -> str:
    """Return the address of a socket, as "127.0.0.1:8010" or "[::1]:8010"."""
    return str(ListenAddress(*bound.getsockname()[:2]))


def bind_all(
    listen: Sequence[ListenAddress], admin: ListenAddress | None, workers: int = 1
) -> Listeners:
    """Bind and listen on every address, or on none; each of several workers gets a share.

    Raises StartError with one sentence: which addresses, or how many descriptors, what is wrong,
    what to try.
    """
    asked: list[tuple[Role, ListenAddress]] = [("listen", address) for address in listen]
    if admin is not None:
        asked.append(("admin", admin))
    require_descriptors(sum(len(address.hosts) for _, address in asked), workers)
    done: list[Bound] = []
    refused: list[_RefusedError] = []
    offered: set[int] = set()
    for role, address in asked:
        try:
            bound = _bind(role, address, done, workers if role == "listen" else 1, offered)
        except _RefusedError as error:
            refused.append(error)
        else:
            done.append(bound)
    if refused:
        for bound in done:
            bound.close()
        causes = "; ".join(dict.fromkeys(error.cause for error in refused))
        remedies = " ".join(error.remedy for error in refused if error.remedy)
        raise StartError(f"{causes}; try {remedies}" if remedies else causes)
    if admin is None:
        return Listeners(tuple(done), None)
    return Listeners(tuple(done[:-1]), done[-1])


def _bind(
    role: Role, address: ListenAddress, done: Sequence[Bound], workers: int, offered: set[int]
) -> Bound:
    """Raises _RefusedError; adds the alternative port that it suggests to `offered`."""
    for _ in range(_ATTEMPTS):
        try:
            sockets = _listen(address.hosts, address.port, shared=workers > 1)
            siblings = tuple(_siblings(sockets) for _ in range(workers - 1))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and not address.port:
                continue
            raise _refusal(role, address, error, done, offered) from error
        port = sockets[0].getsockname()[1]
        return Bound(replace(address, port=port), sockets, siblings)
    raise _RefusedError("no port is free on both 127.0.0.1 and ::1", f"{_FLAGS[role]} 127.0.0.1:0")


def _siblings(sockets: Iterable[socket.socket]) -> tuple[socket.socket, ...]:
    """Listen on the same addresses once more."""
    siblings = []
    for each in sockets:
        sibling = socket.socket(each.family, each.type, each.proto)
        sibling.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sibling.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if each.family == socket.AF_INET6:
            sibling.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sibling.setblocking(False)
        sibling.bind(each.getsockname())
        sibling.listen(BACKLOG)
        siblings.append(sibling)
    return tuple(siblings)


def _listen(hosts: Iterable[str], port: int, *, shared: bool = False) -> tuple[socket.socket, ...]:
    """Listen on every host that this machine has, all on one port."""
    sockets: list[socket.socket] = []
    missing: list[OSError] = []
    try:
        for host in hosts:
            try:
                sockets += _listen_on(host, port, shared=shared)
            except OSError as error:
                if error.errno not in _MISSING:
                    raise
                missing.append(error)
            else:
                port = sockets[0].getsockname()[1]
        if not sockets:
            raise missing[0]
    except OSError:
        for each in sockets:
            each.close()
        raise
    return tuple(sockets)


def _listen_on(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    # A str would load the IDNA tables, even for an address.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, socket.SOCK_STREAM, protocol)
            sockets.append(listener)
            if os.name == "posix":
                # Lets a restart bind while old connections are in TIME_WAIT. On Windows it
                # would let two programs share the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            listener.bind(address)
            if shared:
                # Set after bind, so that bind still fails if another program has the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Only listen() detects another program that has bound but does not listen yet.
            # From here on the kernel queues connections for us.
            listener.listen(BACKLOG)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _refusal(
    role: Role, address: ListenAddress, error: OSError, done: Sequence[Bound], offered: set[int]
) -> _RefusedError:
    flag = _FLAGS[role]
    if isinstance(error, socket.gaierror):
        why = f"the name {address.host} is not known on this machine"
        return _RefusedError(f"cannot listen on {address.authority}: {why}")
    if error.errno == errno.EADDRINUSE:
        free = _free(address, offered)
        offered.add(free.port)
        return _RefusedError(
            _used(role, address, done), listen_elsewhere(flag, free, can_be_off=role == "admin")
        )
    if error.errno == errno.EACCES and address.port < 1024:
        return _RefusedError(
            f"no permission to listen on port {address.port}: ports below 1024 need root or "
            "CAP_NET_BIND_SERVICE",
            listen_elsewhere(flag, replace(address, port=address.port + 8000)),
        )
    if error.errno in _MISSING:
        reason = f"{address.host} is not an address of this machine"
        return _RefusedError(f"cannot listen on {address.authority}: {reason}")
    return _RefusedError(f"cannot listen on {address.authority}: {error.strerror or error}")


def _used(role: Role, address: ListenAddress, done: Sequence[Bound]) -> str:
    if any(bound.address.port == address.port for bound in done):
        twice = "listed twice" if role == "listen" else "asked for by the proxy and by admin"
        return f"port {address.port} is {twice}"
    used_by = port_owner(address.port)
    return f"port {address.port} is in use ({used_by or f'on {address.host}'})"


def _free(address: ListenAddress, offered: Container[int]) -> ListenAddress:
    """Return the address with the next free port that is not in `offered`.

    The port after the next is tried first: the next one is where the admin listener of the
    same program would be.
    """
    for port in range(address.port + 2, min(address.port + 100, 65536)):
        if port in offered:
            continue
        with suppress(OSError):
            for each in _listen(address.hosts, port):
                each.close()
            return replace(address, port=port)
    return replace(address, port=0)
