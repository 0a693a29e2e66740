"""The changes that the button "Allow" has made and that can still be undone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from corsproxy.config.editing.entries import NewEntry, read_entry
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.policy import CorsRules, Policy

MOST_KEPT = 20


class Undo(NamedTuple):
    """One change, and how to take it back."""

    number: int
    """Counted from 1, in the order in which they were made."""
    summary: str
    remedies: tuple[Remedy, ...]
    before: bytes
    after: bytes
    """The file's content, before and after the change."""
    policy: Policy | None
    """In quick mode, the policy before the change."""


class Undos:
    """The last changes. Those since reverted by other means are skipped."""

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy
        self._made: list[Undo] = []
        self._count = 0
        self._latest: tuple[Policy, Undo | None] | None = None
        """The latest under a policy, because it is asked for at each event."""

    def add(
        self,
        summary: str,
        remedies: tuple[Remedy, ...],
        before: bytes = b"",
        after: bytes = b"",
        policy: Policy | None = None,
    ) -> None:
        self._count += 1
        self._made.append(Undo(self._count, summary, remedies, before, after, policy))
        del self._made[:-MOST_KEPT]
        self._latest = None

    def remove(self, undo: Undo) -> None:
        self._made.remove(undo)
        self._latest = None

    @property
    def latest(self) -> Undo | None:
        """The last change of which something is in force."""
        policy = self._policy()
        if self._latest is None or self._latest[0] is not policy:
            held = (undo for undo in reversed(self._made) if _holds(policy, undo))
            self._latest = policy, next(held, None)
        return self._latest[1]

    def reason(self, number: int | None) -> str:
        """Return why the change with that number cannot be undone now."""
        if number is None:
            return "There is nothing to undo."
        latest = self.latest
        if latest is not None and number < latest.number:
            return f"Undo the later change first: {latest.summary}."
        return "It is no longer allowed, so there is nothing to undo."


def _holds(policy: Policy, undo: Undo) -> bool:
    """Whether the policy still allows any of what the change allowed."""
    return any(
        _allows(policy, remedy.route, read_entry(remedy.key, value))
        for remedy in undo.remedies
        for value in remedy.values
    )


def _allows(policy: Policy, route: str | None, entry: NewEntry) -> bool:
    if entry.key == "allowed_hosts":
        return entry.host_allowed_by(policy) is not None
    return any(entry.allowed_by(rules, written=True) for rules in _rules(policy, route))


def _rules(policy: Policy, name: str | None) -> Iterator[CorsRules]:
    """Yield the rules that an entry for that route is in; None means the default."""
    if name is None and len(policy.routes) > 1:
        yield policy.default_cors
        return
    for route in policy.routes:
        if name in (None, route.name) and isinstance(route.cors, CorsRules):
            yield route.cors
