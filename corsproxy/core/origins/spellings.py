"""Finding the hosts that another one misspells, however many there are.

Two names that differ in one place begin or end alike. So hosts are kept in two orders, as they
are and reversed, and only neighbours are compared.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

_PLACE: Final = 2
"""The most characters that may differ, all in one place."""
_SHORTEST: Final = 4
_NEAREST: Final = 4
_NEIGHBOURS: Final = 32
"""How many are compared on each side in each order, because anyone can send such names."""


class Spellings:
    """Hosts by spelling. Immutable."""

    __slots__ = ("_by_end", "_by_start")

    def __init__(self, hosts: Iterable[str]) -> None:
        self._by_start: list[str] = sorted(set(hosts))
        self._by_end: list[str] = sorted([host[::-1] for host in self._by_start])

    def near(self, host: str) -> list[str]:
        """Return the hosts that differ from `host` in one place of at most two characters, the
        closest first. Of more than 32 with the same half, some may be missing."""
        if len(host) < _SHORTEST:
            return []
        backwards = host[::-1]
        around = set(_around(host, self._by_start))
        around.update([other[::-1] for other in _around(backwards, self._by_end)])
        found = [(_distance(host, other), other) for other in around]
        return [other for distance, other in sorted(found) if 0 < distance <= _PLACE]


def _around(host: str, ordered: list[str]) -> list[str]:
    """Return the neighbours of `host`: the nearest, and others that share half of it."""
    half = host[: (len(host) + 1 - _PLACE) // 2]
    at = bisect_left(ordered, host)
    found = []
    for side in (ordered[at : at + _NEIGHBOURS], ordered[max(0, at - _NEIGHBOURS) : at][::-1]):
        for number, other in enumerate(side):
            if number >= _NEAREST and not other.startswith(half):
                break
            found.append(other)
    return found


def _distance(one: str, other: str) -> int:
    """Return how long the place is in which they differ; the whole length if one is too short
    or much longer."""
    shorter, longer = min(len(one), len(other)), max(len(one), len(other))
    if shorter < _SHORTEST or longer - shorter > _PLACE:
        return longer
    start = 0
    while start < shorter and ord(one[start]) == ord(other[start]):
        start += 1
    end = 0
    while end < shorter - start and ord(one[-1 - end]) == ord(other[-1 - end]):
        end += 1
    return longer - start - end
