"""What an exchange may show of the versions that the file had meanwhile."""

from collections import Counter
from typing import NamedTuple

from programs.reloads.versions import Marks


class Seen(NamedTuple):
    """An exchange as a client saw it."""

    kind: str
    connection: int
    """Exchanges of one connection follow each other."""
    floor: int
    """The version that was known to be in force when the request was sent."""
    ceiling: int
    """The version that was in the file when the answer had come."""
    marks: Marks = Marks({})
    own: int | None = None
    """The version whose own page asked."""
    failure: str = ""
    """How the exchange failed, where there is no answer to speak of."""


class Judge:
    """Finds what must not be."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.broken: set[int] = set()
        """Versions that must never be in force."""
        self.counts: Counter[str] = Counter()
        self.versions: set[int] = set()
        """Those that some exchange was decided by."""
        self._last: dict[int, int] = {}

    def note(self, seen: Seen) -> None:
        """Take one more exchange into account."""
        self.counts[seen.kind] += 1
        fault = seen.failure or self._fault(seen)
        if fault:
            self.faults.append(f"{seen.kind} on connection {seen.connection}: {fault}")

    def _fault(self, seen: Seen) -> str:
        marks = seen.marks.within(seen.floor, seen.ceiling)
        if not marks:
            return "it shows no version"
        if len(set(marks.values())) > 1:
            return f"decided by several versions: {marks}"
        number = next(iter(marks.values()))
        before = self._last.get(seen.connection, 0)
        self._last[seen.connection] = max(number, before)
        self.versions.add(number)
        if number in self.broken:
            return f"decided by version {number}, which is broken"
        if not seen.floor <= number <= seen.ceiling:
            return f"decided by version {number}, not one of {seen.floor} to {seen.ceiling}"
        if number < before:
            return f"decided by version {number} after version {before}"
        if seen.own is not None and (seen.own == number) == (seen.marks.line is not None):
            verb = "refused" if seen.own == number else "let in"
            return f"version {number} {verb} the page of version {seen.own}"
        return ""
