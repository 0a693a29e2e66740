"""What a terminal has shown: the edits that would help, most recent last, and counts of advice.

Edits are distinguished by what they add and by the origin that asked, as received. Clients
choose both, so only a few are kept, and only with short origins.
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
    """Everything that would have to be allowed."""
    origin: bytes
    """The origin that asked, as received."""


class Refusals:
    """Holds what is shown, until `forget`."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[Refusal, None] = OrderedDict()
        self.hopeless: bytes | None = None
        """The origin of the last refusal if no edit would have allowed it; otherwise None."""

    def note(self, remedies: tuple[Remedy, ...], origin: bytes) -> None:
        """Record what would allow a call of a page on `origin`: nothing, if there are none."""
        self.hopeless = None if remedies else origin[:_LONGEST]
        if not remedies:
            return
        refusal = Refusal(remedies, origin[:_LONGEST])
        self._refusals.pop(refusal, None)
        self._refusals[refusal] = None
        if len(self._refusals) > _MOST_REFUSALS:
            self._refusals.popitem(last=False)

    def latest(self) -> Iterator[Refusal]:
        """Yield them, most recent first."""
        yield from reversed(self._refusals)

    def forget(self) -> None:
        """Start over: the policy has changed."""
        self._refusals.clear()
        self.hopeless = None


class AdviceCounts:
    """Counts pieces of advice by cause and subject."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def count(self, cause: str, subject: str) -> int:
        """Return how often this advice was due, including this time."""
        key = (cause, subject[:_LONGEST])
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        return count

    def forget(self) -> None:
        self._counts.clear()
