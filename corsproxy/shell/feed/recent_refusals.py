"""The refusals and failures that a terminal has shown: counted, and the last one known.

Distinct ones are told apart by verdict and by origin as received. Clients choose both,
so they are few and short.
"""

from collections import OrderedDict
from collections.abc import Iterator

from corsproxy.core.verdicts import Verdict

_MOST = 256
_LONGEST_ORIGIN = 512


class Refusals:
    """Counts what is shown until it is told to forget."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Verdict, bytes], int] = OrderedDict()

    def count(self, verdict: Verdict, origin: bytes) -> int:
        """Return how often the same has been refused, this time included."""
        key = (verdict, origin[:_LONGEST_ORIGIN])
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        return count

    def latest(self) -> Iterator[Verdict]:
        """Yield the verdicts, the last one first."""
        for verdict, _ in reversed(self._counts):
            yield verdict

    def forget(self) -> None:
        """Begin anew: the policy has changed."""
        self._counts.clear()
