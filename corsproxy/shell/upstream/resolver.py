"""Resolves host names, and caches them for seconds so that a moved upstream is found."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import cast

TTL_SECONDS = 10.0

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""As `socket.getaddrinfo` returns it."""

_LOOPBACKS = ("127.0.0.1", "::1")


LookUp = Callable[[str, int], Awaitable[list[AddressInfo]]]
"""Asks the system for the addresses of a host; raises socket.gaierror."""


class Resolver:
    """Looks names up in threads, each name only once at a time."""

    def __init__(self, ttl: float = TTL_SECONDS, look_up: LookUp | None = None) -> None:
        """`ttl` is in seconds; `look_up` replaces the system's resolver."""
        self._ttl = ttl
        self._look_up = _ask_system if look_up is None else look_up
        self._known: dict[tuple[str, int], tuple[float, list[AddressInfo]]] = {}
        self._lookups: dict[tuple[str, int], asyncio.Task[list[AddressInfo]]] = {}

    async def resolve(self, host: str, port: int, within: float = TTL_SECONDS) -> list[AddressInfo]:
        """Return the addresses of `host` from at most `within` seconds ago, in the order in which
        to try them.

        `localhost` is both loopback addresses, whatever the system says: a local server may have
        bound either. A name below it is loopback if the system does not know it (RFC 6761, 6.3).
        Raises socket.gaierror.
        """
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        key = (host, port)
        loop = asyncio.get_running_loop()
        looked_up, addresses = self._known.get(key, (0.0, []))
        if addresses and loop.time() < looked_up + min(within, self._ttl):
            return addresses
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = loop.create_task(self._find(host, port))
            lookup.add_done_callback(lambda done: self._remember(key, done))
        # `wait` does not cancel the look-up, which other callers share.
        await asyncio.wait((lookup,))
        return lookup.result()

    def forget(self, host: str, port: int) -> None:
        """Look `host` up again next time: none of its addresses could be connected to."""
        self._known.pop((host, port), None)

    def _remember(self, key: tuple[str, int], lookup: asyncio.Task[list[AddressInfo]]) -> None:
        del self._lookups[key]
        if lookup.cancelled() or lookup.exception() is not None:
            self._known.pop(key, None)
        else:
            self._known[key] = (lookup.get_loop().time(), lookup.result())

    async def _find(self, host: str, port: int) -> list[AddressInfo]:
        local = host == "localhost" or host.endswith(".localhost")
        try:
            addresses = list(await self._look_up(host, port))
        except socket.gaierror:
            if not local:
                raise
            addresses = []
        if host == "localhost" or (local and not addresses):
            have = {address[4][0] for address in addresses}
            missing = (_literal(loopback, port) for loopback in _LOOPBACKS if loopback not in have)
            addresses += [address for address in missing if address is not None]
        return addresses


async def _ask_system(host: str, port: int) -> list[AddressInfo]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return cast(list[AddressInfo], found)


def _literal(host: str, port: int) -> AddressInfo | None:
    """Return the address that `host` spells out, None if it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    if address.scope_id is not None:
        return None
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
