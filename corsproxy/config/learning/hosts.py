"""The names by which the proxy was called: what `allowed_hosts` let in, and what it refused.

A name that is refused may be an attacker's, rebound to this address (see `core.guard`). So only
names under a suffix that was typed are proposed, and calls to other names teach nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from corsproxy.config.learning.observations import MOST_KINDS, Observation, Seen
from corsproxy.core.guard import parse_host


class HostSeen(NamedTuple):
    """The name in one request's Host."""

    name: str
    refused: bool
    when: str


class Request(NamedTuple):
    """What a log or a browser recorded of one request."""

    host: HostSeen | None
    call: Observation | None
    """None if no page made it."""


def host_seen(value: str, when: str, *, refused: bool) -> HostSeen | None:
    """Return the name in `value`, host[:port]; None for names that need no entry, or that no
    entry can allow."""
    host = parse_host(value.encode("utf-8", "replace"))
    if host is None or host.always_allowed or host.unspecified:
        return None
    return HostSeen(host.name, refused, when)


def is_under(host: str, suffixes: Iterable[str]) -> bool:
    """Whether `host` is one of the domains, or a name below one."""
    return any(host == each or host.endswith(f".{each}") for each in suffixes)


class Hosts:
    """The names, counted as the requests pass by."""

    def __init__(self, suffixes: Sequence[str] = ()) -> None:
        self.used: set[str] = set()
        self.refused: dict[str, Seen] = {}
        self._suffixes = suffixes

    def calls(self, requests: Iterable[Request]) -> Iterator[Observation]:
        """Yield the pages' calls, and count the names. A call to a refused name under a suffix
        was refused; one to another refused name is left out."""
        for host, call in requests:
            if host is not None:
                self._count(host)
                if host.refused:
                    if call is not None and is_under(host.name, self._suffixes):
                        yield call._replace(refused=True)
                    continue
            if call is not None:
                yield call

    def _count(self, host: HostSeen) -> None:
        if not host.refused:
            if len(self.used) < MOST_KINDS:
                self.used.add(host.name)
        elif host.name in self.refused or len(self.refused) < MOST_KINDS:
            self.refused[host.name] = self.refused.get(host.name, Seen()).again(host.when)
