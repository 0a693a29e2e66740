"""What a terminal has shown: edits that would help, the last one known, and advice, counted.

Edits are told apart by what they add and by the origin that asked, as received. Clients choose
both, so they are few, and origins short.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.core.advice.remedies import Remedy

_MOST = 256
_MOST_REFUSALS = 32
_LONGEST = 512


class Refusal(NamedTuple):
    """What a page was refused, or is kept from."""

    remedies: tuple[Remedy, ...]
    """All that would have to be allowed."""
    origin: bytes
    """Who asked, as received."""


class Refusals:
    """Holds what is shown until it is told to forget."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[Refusal, None] = OrderedDict()

    def note(self, remedies: tuple[Remedy, ...], origin: bytes) -> None:
        """Take down what would help a call of a page on `origin`."""
        refusal = Refusal(remedies, origin[:_LONGEST])
        self._refusals.pop(refusal, None)
        self._refusals[refusal] = None
        if len(self._refusals) > _MOST_REFUSALS:
            self._refusals.popitem(last=False)

    def latest(self) -> Iterator[Refusal]:
        """Yield them, the last one first."""
        yield from reversed(self._refusals)

    def forget(self) -> None:
        """Begin anew: the policy has changed."""
        self._refusals.clear()


class Told:
    """Counts pieces of advice by cause and subject."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def count(self, cause: str, subject: str) -> int:
        """Return how often there was the same to say, this time included."""
        key = (cause, subject[:_LONGEST])
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        return count

    def forget(self) -> None:
        self._counts.clear()
