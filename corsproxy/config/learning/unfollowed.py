"""Calls with credentials, known by their absence.

A preflight carries no cookie, and where credentials are not allowed the browser drops the call
after it: the log has a granted preflight and nothing more. The same holds for the first request
of socket.io. A page that is left looks alike, but it does not happen again and again.
"""

from collections.abc import Iterable, Iterator

from corsproxy.config.learning.observations import MOST_KINDS, Observation, Seen
from corsproxy.core.page_call import PageCall

_Key = tuple[str, str, str]


def with_unfollowed(observations: Iterable[Observation]) -> Iterator[Observation]:
    """Yield the observations, and at the end one for each kind of call that never came."""
    absences = _Absences()
    for each in observations:
        absences.add(each)
        yield each
    yield from absences.conclusions()


class _Absences:
    """What is awaited; a browser makes both requests of the same path and method."""

    def __init__(self) -> None:
        self._awaited: dict[_Key, dict[PageCall, Seen]] = {}
        self._came: set[_Key] = set()
        self._alike: set[PageCall] = set()
        """Calls that came, wherever to."""

    def add(self, each: Observation) -> None:
        key = (each.call.origin, each.call.target, each.call.normalized_method)
        if not each.awaits:
            awaited = {} if each.refused else self._awaited.pop(key, {})
            if awaited:
                self._came.add(key)
                self._alike.update(map(_anywhere, awaited))
        elif key not in self._came and len(self._awaited) + len(self._came) < MOST_KINDS:
            kinds = self._awaited.setdefault(key, {})
            kinds[each.call] = kinds.get(each.call, Seen()).again(each.when)

    def conclusions(self) -> Iterator[Observation]:
        for kinds in self._awaited.values():
            for call, seen in kinds.items():
                # Once may be a page that was left.
                if seen.times > 1 or _anywhere(call) not in self._alike:
                    blocked = call._replace(credentials=True)
                    yield Observation(blocked, True, seen.last, unfollowed=seen.times)


def _anywhere(call: PageCall) -> PageCall:
    return call._replace(target="/")
