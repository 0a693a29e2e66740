"""What an export loses: a place in the file, and what a browser or an upstream notices."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from corsproxy.core.policy import Route
from corsproxy.core.source import Source

EVERYWHERE = (
    "refusals are plain text: no Corsproxy-Reason, no JSON, no hint",
    "OPTIONS * and Max-Forwards: 0 are not answered by the proxy itself",
    "a Location outside of redirects, and one that leads back to its own target, is mapped",
    "an upstream that sends requests back here is not detected (508)",
    "the Referer of the proxy's own pages keeps its path, and without an Origin its host",
)
"""The losses of every export to every engine."""


class Loss(NamedTuple):
    """A difference between the engine and the file."""

    source: Source
    words: str

    def __str__(self) -> str:
        return f"{self.source.name}:{self.source.line}: {self.words}"


class Places:
    """The places of the file's keys, for those that the policy does not record."""

    def __init__(self, file: str, found: Mapping[str, Source]) -> None:
        self._file = file
        self._found = found

    def of(self, key: str) -> Source:
        """Return the place of a top-level key, or of a nested one such as `limits.body`."""
        return self._found.get(key, Source(self._file, 1, 1))

    def has(self, key: str) -> bool:
        return key in self._found

    def in_route(self, route: Route, key: str) -> Source:
        """Return the place of a route's key; that of the route if it lacks the key."""
        for path, source in self._found.items():
            if source == route.source and f"{path}.{key}" in self._found:
                return self._found[f"{path}.{key}"]
        return route.source


def in_order(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Return each loss once, in the order of the file."""
    return tuple(sorted(set(losses), key=lambda loss: (loss.source[:3], loss.words)))
