"""Checks which versions of the file an exchange may show."""

from collections import Counter
from typing import NamedTuple

from programs.reloads.versions import Marks


class Seen(NamedTuple):
    """An exchange as a client saw it."""

    kind: str
    connection: int
    """Exchanges on one connection come one after the other."""
    floor: int
    """The version known to be in force when the request was sent."""
    ceiling: int
    """The version in the file when the response had arrived."""
    marks: Marks = Marks({})
    own: int | None = None
    """The version whose own page made the call."""
    failure: str = ""
    """How the exchange failed, if there is no usable response."""


class Judge:
    """Finds the faults."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.broken: set[int] = set()
        """Versions that must never be in force."""
        self.counts: Counter[str] = Counter()
        self.versions: set[int] = set()
        """The versions that have decided about exchanges."""
        self._last: dict[int, int] = {}

    def note(self, seen: Seen) -> None:
        """Check one more exchange."""
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
