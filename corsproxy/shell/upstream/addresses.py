"""The addresses of one upstream, used in turn. Does no I/O and reads no clock.

Each request and each new connection goes to the next address. An address that could not be
connected to is skipped for a while. The two families of a name lead to the same servers (RFC
8305), so only one takes part: the one that was reached last, or else the first.
"""

import math
from typing import Final

from corsproxy.shell.upstream.resolver import AddressInfo

SHUN_SECONDS: Final = 10.0
"""How long an address is skipped after a failed connection."""

# The limit for addresses that a name no longer has: some names resolve to others each time.
_MOST_FORMER: Final = 64


class Endpoint:
    """One address of an upstream."""

    __slots__ = ("info", "is_former", "last_seen", "shunned_until")

    def __init__(self, info: AddressInfo) -> None:
        self.info: Final = info
        self.last_seen = 0.0
        """When the upstream's name last resolved to it."""
        self.is_former = False
        """Whether the name now resolves to others."""
        self.shunned_until = 0.0

    @property
    def family(self) -> int:
        return self.info[0]


class Addresses:
    """What an upstream's name resolves to. Times are the event loop's."""

    __slots__ = ("_current", "_family", "_infos", "_next", "_review_at", "_taking", "former")

    def __init__(self) -> None:
        self._infos: list[AddressInfo] | None = None
        self._current: dict[tuple[str, int], Endpoint] = {}
        self.former: list[Endpoint] = []
        """The last addresses that the name no longer has."""
        self._taking: list[Endpoint] = []
        self._next = 0
        self._family = 0
        self._review_at = math.inf

    def update(self, infos: list[AddressInfo], now: float) -> None:
        """Take what the name resolves to now. The same list object means the same look-up."""
        if infos is self._infos:
            return
        self._infos = infos
        known = {_key(endpoint.info): endpoint for endpoint in self.former} | self._current
        current = {key: known.get(key) or Endpoint(info) for info in infos if (key := _key(info))}
        former = [endpoint for key, endpoint in known.items() if key not in current]
        self.former = former[-_MOST_FORMER:]
        for endpoint in former:
            endpoint.is_former = True
        for endpoint in current.values():
            endpoint.last_seen, endpoint.is_former = now, False
        self._current = current
        self._review(now)

    def turn(self, now: float) -> Endpoint | None:
        """Return the next address to use; None if none is known."""
        if now >= self._review_at:
            self._review(now)
        taking = self._taking
        if len(taking) > 1:
            self._next = (self._next + 1) % len(taking)
            return taking[self._next]
        return taking[0] if taking else None

    def in_order(self, first: Endpoint | None, now: float) -> list[AddressInfo]:
        """Return all addresses in the order in which to try them, `first` first if it is still one
        of them."""
        if first is None or first not in self._taking:
            first = self.turn(now)
        if first is None:
            return []
        at = self._taking.index(first)
        turns = self._taking[at:] + self._taking[:at]
        others = [endpoint for endpoint in self._current.values() if endpoint not in turns]
        others.sort(key=lambda endpoint: endpoint.shunned_until)
        return [endpoint.info for endpoint in turns + others]

    def reached(self, order: list[AddressInfo], peer: object, now: float) -> Endpoint:
        """Return the endpoint connected to, at `peer`, after the addresses in `order` were tried.
        If it is not the first, the first has failed."""
        name = peer[:2] if isinstance(peer, tuple) else None
        keys = [_key(info) for info in order]
        key = name if name in keys else keys[0]
        if key != keys[0]:
            self.shun(self._current[keys[0]], now)
        found = self._current[key]
        if found.family != self._family:
            self._family = found.family
            self._review(now)
        return found

    def shun(self, endpoint: Endpoint, now: float) -> None:
        """Skip an address for a while."""
        endpoint.shunned_until = now + SHUN_SECONDS
        self._review(now)

    def _review(self, now: float) -> None:
        """Work out which addresses take part."""
        current = list(self._current.values())
        able = [endpoint for endpoint in current if endpoint.shunned_until <= now] or current
        families = [endpoint.family for endpoint in able]
        family = self._family if self._family in families or not able else families[0]
        self._taking = [endpoint for endpoint in able if endpoint.family == family]
        ends = [endpoint.shunned_until for endpoint in current if endpoint.shunned_until > now]
        self._review_at = min(ends, default=math.inf)


def _key(info: AddressInfo) -> tuple[str, int]:
    return info[4][0], info[4][1]
