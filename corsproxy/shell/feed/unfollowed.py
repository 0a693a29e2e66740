"""Detects granted preflights that no call follows: the browser has blocked the call.

A preflight carries no cookie, so nothing in it says that the call has credentials. If the route
does not allow them, the browser drops the call and says so only in its console. The missing call
is the only sign. The same holds for the first request of socket.io, which needs no preflight and
carries no cookie: another request follows only if the page may read the response.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from corsproxy.core.advice.families import is_handshake
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.records import ExchangeRecord

_PATIENCE_S: Final = 2.0
_MOST: Final = 64

_Key = tuple[bytes, bytes]


class Unfollowed:
    """Takes every record; reports granted preflights that no call has followed."""

    def __init__(
        self,
        tell: Callable[[ExchangeRecord], None],
        is_busy: Callable[[], bool],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`is_busy` says whether calls are in progress: one of them may be the missing one."""
        self._tell = tell
        self._is_busy = is_busy
        self._patience_s = patience_s
        self._waiting: dict[_Key, asyncio.TimerHandle] = {}

    def exchange(self, record: ExchangeRecord) -> None:
        """Take the record of a finished exchange."""
        key = (record.origin or b"", _subject(record.target))
        waiting = self._waiting.get(key)
        # Clients that cannot read the response repeat it.
        if waiting is not None and is_handshake(record.target):
            return
        if waiting is not None:
            waiting.cancel()
            del self._waiting[key]
        lacks = may_lack_credentials(record.policy, record.verdict, record.target)
        if lacks and len(self._waiting) < _MOST:
            loop = asyncio.get_running_loop()
            self._waiting[key] = loop.call_later(self._patience_s, self._expire, key, record)

    def _expire(self, key: _Key, record: ExchangeRecord) -> None:
        del self._waiting[key]
        if not self._is_busy():
            self._tell(record)

    def close(self) -> None:
        """Stop waiting."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()


def _subject(target: bytes) -> bytes:
    """Return what the following calls have in common with the first."""
    path, _, query = target.partition(b"?")
    return path if b"transport=polling" in query else target


def may_lack_credentials(policy: Policy, verdict: Verdict, target: bytes) -> bool:
    """Whether it is a granted preflight, or a handshake, on a route that does not allow
    credentials."""
    if verdict.code is not Code.ORIGIN_ALLOWED or (
        verdict.kind is not Kind.PREFLIGHT and not is_handshake(target)
    ):
        return False
    routes = [each for each in policy.routes if each.name == verdict.route]
    rules = routes[0].cors if routes else None
    return isinstance(rules, CorsRules) and not rules.credentials and rules.origins.any is None
