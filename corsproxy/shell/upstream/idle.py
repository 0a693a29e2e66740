"""The idle connections to one upstream: by address, or by the client that has logged in on them.

Last in, first out, so that connections that are not needed grow old and close.
"""

import asyncio
from typing import Final

from corsproxy.shell.upstream.addresses import Endpoint
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.http1 import Http1Connection

# How long a connection may have been idle to carry a request that cannot be repeated:
# shorter than any upstream's keep-alive.
_SURE_SECONDS: Final = 1.0


class IdleConnections:
    """Keeps connections between two exchanges; a `bond.Holder`."""

    __slots__ = ("_all_ended", "_bound", "_ending", "_is_closing", "_shared")

    def __init__(self) -> None:
        self._shared: dict[Endpoint, list[Http1Connection]] = {}
        self._bound: dict[Bond, list[Http1Connection]] = {}
        self._ending: set[Http1Connection] = set()
        self._all_ended = asyncio.Event()
        self._is_closing = False

    def __len__(self) -> int:
        return sum(map(len, self._shared.values())) + sum(map(len, self._bound.values()))

    def take(self, endpoint: Endpoint, repeatable: bool, now: float) -> Http1Connection | None:
        """Return a connection to that address; None if there is none. For a request that is not
        `repeatable`, only a recently used one will do."""
        idle = self._shared.get(endpoint)
        while idle:
            connection = idle.pop()
            if not connection.usable:
                continue
            if repeatable or now - connection.idle_since < _SURE_SECONDS:
                return connection
            # The others have been idle for longer.
            idle.append(connection)
            return None
        return None

    def take_former(
        self, former: list[Endpoint], repeatable: bool, now: float, max_age: float
    ) -> Http1Connection | None:
        """Return a connection to an address that the upstream's name no longer has. Outdated ones
        are closed instead: see `_is_outdated`."""
        for endpoint in former:
            while (found := self.take(endpoint, repeatable, now)) is not None:
                if not _is_outdated(found, now, max_age):
                    return found
                self._end(found)
        return None

    def take_bound(self, bond: Bond, now: float, max_age: float) -> Http1Connection | None:
        """Return one that a client has logged in on, however long it has been idle: on another one
        it would have to log in again."""
        if not self._bound:
            return None
        connections = self._bound.get(bond)
        while connections:
            connection = connections.pop()
            if not connection.usable:
                continue
            if not _is_outdated(connection, now, max_age):
                return connection
            self._end(connection)
        return None

    def keep(self, connection: Http1Connection) -> None:
        """Take one whose exchange is over."""
        bond, endpoint = connection.bond, connection.endpoint
        if self._is_closing or endpoint is None or (bond is not None and bond.is_over):
            self._end(connection)
        elif bond is None:
            idle = self._shared.get(endpoint)
            if idle is None:
                idle = self._shared[endpoint] = []
            idle.append(connection)
        else:
            self._bound.setdefault(bond, []).append(connection)
            bond.held_by(self)

    def release(self, bond: Bond) -> None:
        """Close the connections of a client that has left."""
        for connection in self._bound.pop(bond, ()):
            self._end(connection)

    def lost(self, connection: Http1Connection) -> None:
        """Forget a closed connection, if it was here."""
        bond, endpoint = connection.bond, connection.endpoint
        idle = self._bound.get(bond) if bond is not None else None
        if bond is None and endpoint is not None:
            idle = self._shared.get(endpoint)
        if idle is not None and connection in idle:
            idle.remove(connection)
        if bond is None and endpoint is not None and idle == []:
            del self._shared[endpoint]
        self._ending.discard(connection)
        if not self._ending:
            self._all_ended.set()

    async def close(self) -> None:
        """Close all of them, and any that come later."""
        self._is_closing = True
        for bond in list(self._bound):
            self.release(bond)
        while self._shared:
            _, connections = self._shared.popitem()
            for connection in connections:
                self._end(connection)
        if self._ending:
            await self._all_ended.wait()

    def _end(self, connection: Http1Connection) -> None:
        """Close one that is no longer in any list."""
        self._ending.add(connection)
        connection.drop()


def _is_outdated(connection: Http1Connection, now: float, max_age: float) -> bool:
    """Whether it is too old, or its address has been gone for too long, for a name that now
    resolves to others."""
    endpoint = connection.endpoint
    if endpoint is None or not endpoint.is_former:
        return False
    return now - connection.born > max_age or now - endpoint.last_seen > max_age
