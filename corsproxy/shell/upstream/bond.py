"""Ties upstream connections to the one client that has logged in on them.

NTLM and Negotiate authenticate a connection (`core.connection_authentication`). Such a connection
carries the requests of one client connection and no other, and ends with it.
"""

from typing import Protocol


class Holder(Protocol):
    """Keeps connections for a bond."""

    def release(self, bond: "Bond") -> None:
        """Close those that are kept for `bond`: the client has left."""
        ...


class Bond:
    """A client's connection, as upstreams know it. Each has one, which ends with it."""

    __slots__ = ("_holders", "is_over")

    def __init__(self) -> None:
        self._holders: list[Holder] = []
        self.is_over = False
        """Whether the client's connection has ended."""

    def held_by(self, holder: Holder) -> None:
        """Notify `holder` when the client leaves."""
        if holder not in self._holders:
            self._holders.append(holder)

    def end(self) -> None:
        """The client's connection has ended. May be called again."""
        self.is_over = True
        holders, self._holders = self._holders, []
        for holder in holders:
            holder.release(self)
